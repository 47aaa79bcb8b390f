import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { finishOf, type OpenStore, openStore } from "../store.fixture.ts";
import type { LedgerEntry } from "./rows.ts";

/** Text that does not get smaller when it is compressed. */
const noise = (bytes: number) => randomBytes(bytes / 2).toString("hex");

const everything = { upTo: Number.MAX_SAFE_INTEGER, limit: 500 };

async function walk(box: OpenStore): Promise<LedgerEntry[][]> {
  const pages: LedgerEntry[][] = [];
  let after = 0;
  for (;;) {
    const page = await box.store.readLedger({ ...everything, after });
    if (page.length === 0) return pages;
    pages.push(page);
    after = page.at(-1)?.seq ?? after;
  }
}

test.concurrent("a page of the ledger holds some megabytes at the most, and the pages hold everything", async () => {
  await using box = await openStore();
  for (let at = 0; at < 12; at++) await box.insert({ payload: noise(900_000) });
  await box.insert({ payload: "small" });
  const pages = await walk(box);
  expect(pages.length).toBeGreaterThan(2);
  expect(Math.max(...pages.map((page) => page.length))).toBeLessThan(9);
  expect(pages.flat()).toHaveLength(13);
  expect(pages.flat().every(({ task }) => typeof task.payload === "string" && task.payload.length > 4)).toBe(true);
});

test.concurrent("what is stored compressed counts as long as it is read", async () => {
  await using box = await openStore();
  for (let at = 0; at < 12; at++) await box.insert({ payload: "x".repeat(900_000) });
  const pages = await walk(box);
  expect(pages.flat()).toHaveLength(12);
  expect(Math.max(...pages.map((page) => page.length))).toBeLessThan(6);
  const listed = await box.store.listTasks({ limit: 50 });
  expect(listed.items.length).toBeLessThan(6);
  expect(listed.nextCursor).not.toBeNull();
});

test.concurrent("an event that is larger than a page comes alone", async () => {
  await using box = await openStore();
  const task = await box.insert({ payload: noise(1_000_000) });
  const data = { changes: { payload: { from: noise(3_000_000), to: noise(3_000_000) } } };
  await box.pool.query(
    "insert into task_events (task_id, kind, actor, version, data, state) select id, 'patched', 'x', 1, $2, task_state(t) from tasks t where id = $1",
    [task.id, JSON.stringify(data)],
  );
  await box.insert();
  expect((await walk(box)).map((page) => page.map(({ event }) => event.kind))).toEqual([
    ["created"],
    ["patched"],
    ["created"],
  ]);
});

test.concurrent("many events of one large task share it, and each shows the task as it then was", async () => {
  await using box = await openStore();
  const task = await box.insert({ payload: noise(900_000) });
  const [claimed] = await box.claim(1);
  if (!claimed) throw new Error("a task was expected");
  for (let at = 0; at < 100; at++) {
    const note = { message: `step ${at}`, percent: at, agentName: null };
    await box.store.reportProgress({ taskId: task.id, attempt: 1, leaseId: null }, note, 30_000);
  }
  await box.store.finishAttempts([finishOf(claimed, { kind: "complete", result: "done" })]);
  const pages = await walk(box);
  const entries = pages.flat();
  expect(pages).toHaveLength(1);
  expect(entries.map(({ task: then }) => then.version)).toEqual(entries.map((_, at) => at + 1));
  expect(entries.every(({ task: then }) => then.payload === task.payload)).toBe(true);
  expect(entries.map(({ task: then }) => then.result)).toEqual([...Array(102).fill(null), "done"]);
  expect(entries[50]?.task.progress?.message).toBe("step 48");
});

test.concurrent("a page of large tasks is shorter, and leads to the next one", async () => {
  await using box = await openStore();
  const made: string[] = [];
  for (let at = 0; at < 12; at++) made.push((await box.insert({ payload: noise(900_000) })).id);
  const seen: string[] = [];
  const lengths: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await box.store.listTasks({ limit: 11, ...(cursor && { cursor }) });
    seen.push(...page.items.map((task) => task.id));
    lengths.push(page.items.length);
    cursor = page.nextCursor ?? undefined;
  } while (cursor);
  expect(seen).toEqual(made.toReversed());
  expect(lengths.length).toBeGreaterThan(2);
  expect(Math.max(...lengths)).toBeLessThan(9);
});

test.concurrent("large events of one task are read in pages, and with the task only the first of them", async () => {
  await using box = await openStore();
  const task = await box.insert();
  for (let at = 0; at < 9; at++) {
    await box.pool.query(
      "insert into task_events (task_id, kind, actor, version, data, state) select id, 'note', 'x', 1, $2, task_state(t) from tasks t where id = $1",
      [task.id, JSON.stringify({ at, text: noise(1_000_000) })],
    );
  }
  const first = await box.store.listEvents(task.id, { after: 0, limit: 1_000 });
  expect(first.more).toBe(true);
  expect(first.rows.length).toBeLessThan(9);
  const rest = [];
  for (let after = first.rows.at(-1)?.seq ?? 0, more = true; more; ) {
    const page = await box.store.listEvents(task.id, { after, limit: 1_000 });
    rest.push(...page.rows);
    ({ more } = page);
    after = page.rows.at(-1)?.seq ?? after;
  }
  expect([...first.rows, ...rest].map(({ event }) => event.data.at)).toEqual([undefined, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const found = await box.store.findTaskWithEvents(task.id, 5_000);
  expect(found?.events).toEqual(first.rows.map(({ event }) => event));
});
