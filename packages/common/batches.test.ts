import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { buildBatches } from "./batches.ts";

/** Batches whose writes end when the test says so. */
function openBatches(most: number, options: { lingers?: boolean } = {}) {
  const waiting: number[] = [];
  const writes: { batch: number[]; end(): void }[] = [];
  const batches = buildBatches({
    ...options,
    writesAtOnce: 2,
    take: () => waiting.splice(0, most),
    write(batch: number[]) {
      const { promise, resolve } = Promise.withResolvers<void>();
      writes.push({ batch, end: resolve });
      return promise;
    },
  });
  const add = (...items: number[]) => {
    waiting.push(...items);
    batches.schedule();
  };
  return { ...batches, add, writes, written: () => writes.map(({ batch }) => batch) };
}

test("what comes in one turn goes out together, at its end", async () => {
  const { add, written } = openBatches(10);
  add(1);
  add(2, 3);
  expect(written()).toEqual([]);
  await turn();
  expect(written()).toEqual([[1, 2, 3]]);
});

test("two writes at once; what comes meanwhile waits for the end of one, and no batch is larger than it may be", async () => {
  const { add, writes, written } = openBatches(2);
  add(1, 2, 3, 4, 5);
  await turn();
  expect(written()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  add(6);
  await turn();
  expect(written()).toHaveLength(2);
  writes[1]?.end();
  await turn();
  expect(written().slice(2)).toEqual([[5, 6]]);
});

test("one that lingers takes along, after a write, who comes in that turn", async () => {
  const { add, writes, written } = openBatches(10, { lingers: true });
  add(1);
  await turn();
  add(2);
  await turn();
  add(3);
  await turn();
  writes[0]?.end();
  await Promise.resolve();
  add(4);
  await turn();
  expect(written()).toEqual([[1], [2], [3, 4]]);
});

test("idle waits for what waits, under way only for what has begun", async () => {
  const { add, writes, idle, underWay } = openBatches(1);
  await idle();
  add(1, 2, 3);
  const over: string[] = [];
  const isIdle = idle().then(() => over.push("idle"));
  const haveBegun = underWay().then(() => over.push("under way"));
  for (const write of writes.slice(0, 2)) write.end();
  await haveBegun;
  expect(over).toEqual(["under way"]);
  expect(writes.map(({ batch }) => batch)).toEqual([[1], [2], [3]]);
  writes[2]?.end();
  await isIdle;
  expect(over).toEqual(["under way", "idle"]);
});
