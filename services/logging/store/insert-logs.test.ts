import { uuidv7 } from "@signalbox/common/uuid.ts";
import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeRow, type LogRow } from "../log-row.ts";
import type { NewLog } from "../record.ts";
import { joinNeighbours } from "./copy-in.ts";
import { buildInsertLogs, insertLogsAnywhere } from "./insert-logs.ts";

const now = Date.now();

const text = fc.string({ unit: "grapheme" }).map((value) => value.replaceAll("\u0000", ""));
const json = fc.dictionary(text, fc.jsonValue()).map((value) => JSON.stringify(value).replaceAll("\\u0000", ""));
const rows = fc.uniqueArray(
  fc.record<LogRow>({
    id: fc.uuid().chain((id) => fc.constantFrom(id, id.toUpperCase())),
    atMs: fc.integer({ min: now - 1_000, max: now + 86_400_000 }),
    level: fc.integer({ min: 0, max: 5 }),
    service: text,
    message: fc.oneof(
      { weight: 30, arbitrary: text },
      { weight: 1, arbitrary: text.map((some) => some.repeat(5_000)) },
    ),
    traceId: fc.option(text),
    correlationId: fc.option(text),
    taskId: fc.option(fc.uuid()),
    data: json,
  }),
  { maxLength: 20, selector: ({ id }) => id.toLowerCase() },
);

function toNewLog(row: LogRow): NewLog {
  return { id: row.id, atMs: row.atMs, service: row.service, row: encodeRow(row), isAnywhere: false };
}

async function readBack({ pool }: TestDatabase): Promise<LogRow[]> {
  const { rows: found } = await pool.query(
    `select id, (extract(epoch from at) * 1000)::float8 as "atMs", level, service, message, trace_id as "traceId",
            correlation_id as "correlationId", task_id as "taskId", data from logs order by seq`,
  );
  return found.map((row) => ({ ...row, data: JSON.stringify(row.data) }));
}

/** As PostgreSQL shows them: ids in lower case, and JSON as the same value, whatever its text. */
function expectStored(all: readonly LogRow[], found: readonly LogRow[]): void {
  const byId = new Map(found.map((row) => [row.id, row]));
  for (const { data, ...row } of all) {
    const { data: foundData, ...foundRow } = byId.get(row.id.toLowerCase()) ?? sample;
    expect(foundRow).toEqual({ ...row, id: row.id.toLowerCase() });
    // There is no minus before zero in JSON.
    expect(JSON.parse(foundData)).toEqual(JSON.parse(JSON.stringify(JSON.parse(data))));
  }
}

test("a record is stored as it was, by COPY, by the insert that knows resends, and by the one that looks everywhere", async () => {
  await using database = await freshDatabase();
  const { pool } = database;
  await pool.query("select ensure_log_partitions(1, 3)");
  await fc.assert(
    fc.asyncProperty(rows, async (all) => {
      const first = toNewLog({ ...sample, id: uuidv7() });
      const anywhere = (given: NewLog[]) => insertLogsAnywhere(pool, given);
      // The second time one is known, so a COPY is refused and the others are tried with care.
      for (const known of [[], [first]]) {
        for (const write of [buildInsertLogs(pool, 0), buildInsertLogs(pool), anywhere]) {
          await pool.query("delete from logs");
          if (known.length > 0) await buildInsertLogs(pool)(known);
          expect(await write([...known, ...all.map(toNewLog)])).toBe(all.length);
          expectStored(all, await readBack(database));
        }
      }
    }),
    { numRuns: 30 },
  );
});

const sample: LogRow = {
  ...{ id: uuidv7(), atMs: now, level: 2, service: "a", message: "m" },
  ...{ traceId: null, correlationId: null, taskId: null, data: "{}" },
};

test.each([0, 200])("what is sent twice is stored once, with COPY from %d rows on", async (copyRowsMin) => {
  await using database = await freshDatabase();
  const insert = buildInsertLogs(database.pool, copyRowsMin);
  const make = (count: number) => Array.from({ length: count }, () => toNewLog({ ...sample, id: uuidv7() }));
  const [one, two, three] = [make(1), make(50), make(50)];
  expect(await insert([...one, ...one])).toBe(1);
  const fresh = buildInsertLogs(database.pool, copyRowsMin);
  expect(await fresh(two)).toBe(50);
  expect(await fresh([...three.slice(0, 10), ...two])).toBe(10);
  const both = await Promise.all([1, 2].map(() => buildInsertLogs(database.pool, copyRowsMin)(three)));
  expect(both.reduce((sum, stored) => sum + stored)).toBe(40);
  const { rows: found } = await database.pool.query("select count(*)::integer as n from logs");
  expect(found[0].n).toBe(101);
});

test.each([0, 200])("a refused statement leaves the connection fit, with COPY from %d rows on", async (copyRowsMin) => {
  await using database = await freshDatabase();
  const insert = buildInsertLogs(database.pool, copyRowsMin);
  const refused = toNewLog({ ...sample, data: "{" });
  await expect(insert([refused])).rejects.toMatchObject({ code: "22P02" });
  const homeless = toNewLog({ ...sample, atMs: now + 90 * 86_400_000 });
  await expect(insert([homeless])).rejects.toMatchObject({ code: "23514", constraint: undefined });
  expect(await insert([toNewLog(sample)])).toBe(1);
});

test("rows lie one behind the other in memory and are sent as one piece", () => {
  const many = Array.from({ length: 500 }, (_, n) => encodeRow({ ...sample, message: "x".repeat(n) }));
  const pieces = joinNeighbours(many);
  expect(Buffer.concat(pieces)).toEqual(Buffer.concat(many));
  expect(pieces.length).toBeLessThan(5);
});
