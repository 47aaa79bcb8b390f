import { ownCluster } from "@signalbox/testing/database.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { finishOf, type OpenStore, openStore } from "../store.fixture.ts";
import { buildFinishQueue, type Ending } from "./finish-queue.ts";

function queueOf(box: OpenStore, options: { signal?: AbortSignal } = {}) {
  const errors: unknown[] = [];
  const written: { claimable: boolean; timed: boolean }[] = [];
  const queue = buildFinishQueue({
    store: box.store,
    onWritten: (what) => written.push(what),
    onError: (error, finish) => errors.push({ error, finish }),
    signal: options.signal ?? new AbortController().signal,
  });
  return { queue, errors, written };
}

/** jsonb refuses half a surrogate pair; no agent's answer gets so far, so it is put in by hand. */
const poison = { kind: "complete", result: "\ud83d" } as const;

async function claimMany(box: OpenStore, count: number, keyed = false) {
  for (let at = 0; at < count; at++) await box.insert(keyed ? { concurrencyKey: `k${at}` } : {});
  return box.claim(count);
}

test.concurrent("one poisonous result of fifty is refused alone; the others are written, and their keys go on", async () => {
  await using box = await openStore();
  const claimed = await claimMany(box, 50, true);
  for (let at = 0; at < 50; at++) await box.insert({ concurrencyKey: `k${at}` });
  const { queue, errors } = queueOf(box);
  const endings = await Promise.all(claimed.map((one, at) => queue.end(finishOf(one, at === 17 ? poison : undefined))));
  expect(endings.filter((ending) => ending === "ended")).toHaveLength(49);
  expect(endings[17]).toBe("refused" satisfies Ending);
  expect(errors).toEqual([
    {
      error: expect.objectContaining({ code: "22P02" }),
      finish: expect.objectContaining({ lease: claimed[17]?.lease }),
    },
  ]);
  const { rows } = await box.pool.query(
    "select status, count(*)::int as n from tasks where attempt = 1 group by 1 order by 1",
  );
  expect(rows).toEqual([
    { status: "completed", n: 49 },
    { status: "running", n: 1 },
  ]);
  expect(await box.claim(100)).toHaveLength(49);
});

test.concurrent("a lone result is written at once, and results that come meanwhile go out together", async () => {
  await using box = await openStore();
  const claimed = await claimMany(box, 200);
  const { queue, written } = queueOf(box);
  const endings = await Promise.all(claimed.map((one) => queue.end(finishOf(one))));
  expect(new Set(endings)).toEqual(new Set(["ended"]));
  expect(written.length).toBeLessThan(20);
});

test.concurrent("a lost lease changes nothing beside others in its batch", async () => {
  await using box = await openStore();
  const [first, second] = await claimMany(box, 2);
  if (!first || !second) throw new Error("two tasks were expected");
  const { queue } = queueOf(box);
  const stale = { ...first, lease: { ...first.lease, leaseId: "01890000-0000-4000-8000-000000000001" } };
  const late = { ...second, lease: { ...second.lease, attempt: 2 } };
  expect(await Promise.all([queue.end(finishOf(stale)), queue.end(finishOf(late))])).toEqual(["lost", "lost"]);
  expect(await Promise.all([queue.end(finishOf(first)), queue.end(finishOf(second))])).toEqual(["ended", "ended"]);
});

test.concurrent("one run that ends twice ends once", async () => {
  await using box = await openStore();
  const [one] = await claimMany(box, 1);
  if (!one) throw new Error("a task was expected");
  const { queue } = queueOf(box);
  const endings = await Promise.all(
    Array.from({ length: 10 }, (_, result) => queue.end(finishOf(one, { kind: "complete", result }))),
  );
  expect(endings.filter((ending) => ending === "ended")).toHaveLength(1);
  expect(endings.filter((ending) => ending === "lost")).toHaveLength(9);
  const { rows } = await box.pool.query("select kind from task_events order by seq");
  expect(rows.map((row) => row.kind)).toEqual(["created", "started", "completed"]);
});

test.concurrent("what was written says whether something can be claimed, now or later", async () => {
  await using box = await openStore();
  const error = { code: "x", message: "y" };
  const [done, back, later, parked] = await claimMany(box, 4);
  if (!done || !back || !later || !parked) throw new Error("four tasks were expected");
  const { queue, written } = queueOf(box);
  await queue.end(finishOf(done));
  await queue.end(finishOf(back, { kind: "release" }));
  await queue.end(finishOf(later, { kind: "retry", error, delayMs: 5_000 }));
  await queue.end(finishOf(parked, { kind: "park", for: "input", prompt: "which?" }));
  expect(written).toEqual([
    { claimable: false, timed: false },
    { claimable: true, timed: false },
    { claimable: false, timed: true },
    { claimable: false, timed: false },
  ]);
});

/** Locks the row of a task until it is told to let go, as somebody at a console may. */
async function lockRow(box: OpenStore, id: string | undefined): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: box.url });
  await holder.connect();
  await holder.query("begin");
  await holder.query("select 1 from tasks where id = $1 for update", [id]);
  return () => holder.end();
}

test.concurrent("a row that somebody else has locked delays its own result alone, which is written when it is free", async () => {
  // Its own cluster: a transaction that is open for seconds would hold back the streams of all other tests.
  await using cluster = await ownCluster();
  await using box = await openStore(cluster.url);
  const claimed = await claimMany(box, 5);
  const unlock = await lockRow(box, claimed[3]?.task.id);
  const { queue, errors } = queueOf(box);
  const locked = queue.end(finishOf(claimed[3] ?? never()));
  const others = claimed.filter((_, at) => at !== 3).map((one) => queue.end(finishOf(one)));
  expect(new Set(await Promise.all(others))).toEqual(new Set(["ended"]));
  // One more comes while it is still locked.
  await box.insert();
  const [late] = await box.claim(1);
  expect(await queue.end(finishOf(late ?? never()))).toBe("ended");
  expect(errors.length).toBeGreaterThan(0);
  await unlock();
  expect(await locked).toBe("ended");
  await queue.idle();
});

function never(): never {
  throw new Error("a task was expected");
}
