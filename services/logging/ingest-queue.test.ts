import { expect, test } from "vitest";
import { buildIngest, type IngestOptions } from "./loops/ingest.ts";
import type { NewLog } from "./record.ts";

const row = (n: number, bytes = 1): NewLog => ({
  id: `0f8fad5b-d9cb-469f-a165-${String(n).padStart(12, "0")}`,
  atMs: Date.parse("2026-01-01T00:00:00.000Z"),
  service: "test",
  row: Buffer.alloc(bytes),
  isAnywhere: false,
});
const rows = (from: number, count: number) => Array.from({ length: count }, (_, at) => row(from + at));

/** A database whose statements end when the test says so. */
function heldStore() {
  const statements: { rows: readonly NewLog[]; end(): void; fail(error: Error): void }[] = [];
  const insertLogs = (given: readonly NewLog[]) =>
    new Promise<number>((resolve, reject) => {
      statements.push({ rows: given, end: () => resolve(given.length), fail: reject });
    });
  return { statements, store: { insertLogs, insertLogsAnywhere: insertLogs, ensurePartition: async () => true } };
}

function rig(bounds?: IngestOptions["bounds"]) {
  const held = heldStore();
  return { ...held, ingest: buildIngest({ store: held.store, onStored: () => undefined, ...(bounds && { bounds }) }) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test.concurrent("at rest a record is sent at once; under load what waits goes out together, two statements at a time", async () => {
  const { ingest, statements } = rig();
  const submits: Promise<unknown>[] = [];
  for (let n = 0; n < 3; n++) {
    submits.push(ingest.submit(rows(n, 1)));
    await turn();
    await turn();
  }
  for (let n = 3; n < 60; n++) submits.push(ingest.submit(rows(n, 1)));
  await turn();
  expect(statements.map((one) => one.rows.length)).toEqual([1, 1]);
  expect(ingest.waiting().rows).toBe(58);
  statements[0]?.end();
  await turn();
  expect(statements.map((one) => one.rows.length)).toEqual([1, 1, 58]);
  expect(ingest.waiting()).toEqual({ rows: 0, bytes: 0 });
  for (const one of statements) one.end();
  await Promise.all(submits);
});

test.concurrent("a statement has at most 2,000 rows, and a request is never in two at once", async () => {
  const { ingest, statements } = rig();
  const submits = [ingest.submit(rows(0, 4_500)), ingest.submit(rows(5_000, 1_500)), ingest.submit(rows(7_000, 600))];
  await turn();
  expect(statements.map((one) => one.rows.length)).toEqual([2_000, 1_500]);
  const sizes = [2_000, 1_500];
  for (let at = 0; at < 5; at++) {
    statements[at]?.end();
    await turn();
    sizes.push(...statements.slice(sizes.length).map((one) => one.rows.length));
  }
  expect(sizes).toEqual([2_000, 1_500, 2_000, 600, 500]);
  expect((await Promise.all(submits)).map((outcomes) => outcomes.length)).toEqual([4_500, 1_500, 600]);
});

test.concurrent.each([
  ["rows", rows(3_000, 100)],
  ["bytes", [row(3_000, 1_000_000)]],
])(
  "beyond its bounds in %s new requests are refused until less waits; one that was let in is not",
  async (_what, much) => {
    const { ingest, statements } = rig({ rows: 100, bytes: 1_000_000 });
    const taken: Promise<unknown>[] = [];
    for (let n = 0; n < 2; n++) {
      taken.push(ingest.submit(rows(n, 1)));
      await turn();
    }
    ingest.admit();
    taken.push(ingest.submit(much));
    expect(() => ingest.admit()).toThrowError(
      expect.objectContaining({ status: 429, headers: { "retry-after": "1" } }),
    );
    taken.push(ingest.submit(rows(4_000, 20)));
    for (let at = 0; at < 3; at++) {
      for (const one of statements) one.end();
      await turn();
    }
    await Promise.all(taken);
    ingest.admit();
  },
);

test.concurrent("when the database is away all requests of the statement are told, and the next go on", async () => {
  const { ingest, statements } = rig();
  const lost = [ingest.submit(rows(0, 2)), ingest.submit(rows(2, 2))].map((submit) =>
    submit.catch((error) => error.status),
  );
  await turn();
  statements[0]?.fail(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }));
  expect(await Promise.all(lost)).toEqual([503, 503]);
  const next = ingest.submit(rows(4, 1));
  await turn();
  statements[1]?.end();
  expect(await next).toEqual([null]);
});
