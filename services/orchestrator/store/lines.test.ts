import type { PatchTask } from "@signalbox/common/contracts/task.ts";
import type { Cluster } from "@signalbox/testing/cluster.ts";
import { ownCluster } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { planPatch, type Refusal } from "../patch.ts";
import { finishOf, type OpenStore, openStore } from "../store.fixture.ts";
import { finishAttempts } from "./finish-attempts.ts";

/** Of its own, because commits are held back here, and a snapshot holds back every stream of its cluster. */
let cluster: Cluster;

beforeAll(async () => {
  cluster = await ownCluster();
});

afterAll(() => cluster[Symbol.asyncDispose]());

const open = () => openStore(cluster.url);
const ahead = (ms = 3_600_000) => new Date(Date.now() + ms).toISOString();

const head: [number | null, boolean] = [1, true];
const held: [number | null, boolean] = [1, false];
const behind: [number | null, boolean] = [2, false];
const out: [number | null, boolean] = [null, false];

function patch(box: OpenStore, id: string, members: Omit<PatchTask, "ifVersion">) {
  return box.store.changeTask<Refusal>(id, "person:tester", ({ task, ...terms }) =>
    planPatch(task, { ifVersion: task.version }, members, {
      actor: "person:tester",
      isPerson: true,
      isCareful: false,
      ...terms,
    }),
  );
}

async function claimOne(box: OpenStore) {
  const [claimed] = await box.claim(1);
  if (!claimed) throw new Error("nothing could be claimed");
  return claimed;
}

/** Until that many sessions wait for a lock. */
const waiters = (box: OpenStore, count = 1) =>
  eventually(
    async () => {
      const { rows } = await box.pool.query(
        "select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rows[0].n >= count;
    },
    { everyMs: 2, what: "somebody who waits for the lock" },
  );

test.concurrent("a task made while the head's end waits to be committed becomes the head", async () => {
  await using box = await open();
  await box.insert({ concurrencyKey: "k" });
  const first = await claimOne(box);
  const client = await box.pool.connect();
  await client.query("begin");
  await finishAttempts(client, [finishOf(first)]);
  const second = box.insert({ concurrencyKey: "k" });
  await waiters(box);
  await client.query("commit");
  client.release();
  await second;
  expect(await box.line("k")).toEqual([out, head]);
});

test.concurrent("a head that ends while another task waits to be committed gives its place to that task", async () => {
  await using box = await open();
  await box.insert({ concurrencyKey: "k" });
  const claimed = await claimOne(box);
  const client = await box.pool.connect();
  await client.query("begin");
  await box.insert({ concurrencyKey: "k" }, client);
  const finished = box.store.finishAttempts([finishOf(claimed)]);
  await waiters(box);
  await client.query("commit");
  client.release();
  expect(await finished).toMatchObject({ promoted: 1 });
  expect(await box.line("k")).toEqual([out, head]);
});

test.concurrent("three hundred ends that meet three hundred creations leave no key without a head", async () => {
  await using box = await open();
  const keys = Array.from({ length: 300 }, (_, at) => `k${at}`);
  await Promise.all(keys.map((concurrencyKey) => box.insert({ concurrencyKey })));
  const claimed = [...(await box.claim(200)), ...(await box.claim(200))];
  expect(claimed).toHaveLength(300);
  await Promise.all([
    ...claimed.map((one) => box.store.finishAttempts([finishOf(one)])),
    ...keys.map((concurrencyKey) => box.insert({ concurrencyKey })),
  ]);
  const { rows } = await box.pool.query(
    "select line, ready, count(*)::int as n from tasks where status = 'queued' group by 1, 2",
  );
  expect(rows).toEqual([{ line: 1, ready: true, n: 300 }]);
});

test.concurrent("the head holds its key while it runs, waits and backs off; what is behind waits", async () => {
  await using box = await open();
  await box.insert({ concurrencyKey: "k" });
  await box.insert({ concurrencyKey: "k" });
  const first = await claimOne(box);
  expect(await box.line("k")).toEqual([held, behind]);
  await box.store.finishAttempts([finishOf(first, { kind: "park", for: "input", prompt: null })]);
  expect(await box.line("k")).toEqual([held, behind]);
  await patch(box, first.task.id, { status: "queued" });
  expect(await box.line("k")).toEqual([head, behind]);
  const error = { code: "x", message: "y" };
  await box.store.finishAttempts([finishOf(await claimOne(box), { kind: "retry", error, delayMs: 60_000 })]);
  expect(await box.line("k")).toEqual([held, behind]);
  await box.pool.query("update tasks set run_at = now() where line = 1");
  expect(await box.store.wakeDue(10)).toBe(1);
  await box.store.finishAttempts([finishOf(await claimOne(box), { kind: "fail", error })]);
  expect(await box.line("k")).toEqual([out, head]);
});

test.concurrent("a late joiner takes the place of a younger head that has not begun", async () => {
  await using box = await open();
  const late = await box.insert({ concurrencyKey: "k", runAt: ahead() });
  await box.insert({ concurrencyKey: "k" });
  await box.insert({ concurrencyKey: "k" });
  expect(await box.line("k")).toEqual([out, head, behind]);
  await box.pool.query("update tasks set run_at = now() where id = $1", [late.id]);
  expect(await box.store.joinDue(10)).toBe(1);
  expect(await box.line("k")).toEqual([head, behind, behind]);
});

test.concurrent("a late joiner waits behind a head that has begun, before the others", async () => {
  await using box = await open();
  const late = await box.insert({ concurrencyKey: "k", runAt: ahead() });
  await box.insert({ concurrencyKey: "k" });
  await box.insert({ concurrencyKey: "k" });
  const first = await claimOne(box);
  await box.pool.query("update tasks set run_at = now() where id = $1", [late.id]);
  expect(await box.store.joinDue(10)).toBe(1);
  expect(await box.line("k")).toEqual([behind, held, behind]);
  const error = { code: "x", message: "y" };
  await box.store.finishAttempts([finishOf(first, { kind: "retry", error, delayMs: 0 })]);
  expect(await box.line("k")).toEqual([behind, head, behind]);
  await box.store.finishAttempts([finishOf(await claimOne(box))]);
  expect(await box.line("k")).toEqual([head, out, behind]);
});

test.concurrent("several late joiners of several keys stand in order", async () => {
  await using box = await open();
  for (const key of ["a", "b"])
    for (let at = 0; at < 3; at++) await box.insert({ concurrencyKey: key, runAt: ahead() });
  await box.insert({ concurrencyKey: "b" });
  await box.pool.query("update tasks set run_at = now()");
  expect(await box.store.joinDue(10)).toBe(6);
  expect(await box.line("a")).toEqual([head, behind, behind]);
  expect(await box.line("b")).toEqual([head, behind, behind, behind]);
});

test.concurrent("a key that somebody holds keeps no late joiner of another key out of its line", async () => {
  await using box = await open();
  for (const key of ["a", "b", "c"]) await box.insert({ concurrencyKey: key, runAt: ahead() });
  await box.pool.query("update tasks set run_at = now()");
  const holder = await box.pool.connect();
  await holder.query("begin");
  await holder.query("select key_lock(array['b'])");
  expect(await box.store.joinDue(10)).toBe(2);
  expect(await box.line("b")).toEqual([out]);
  await holder.query("rollback");
  holder.release();
  expect(await box.store.joinDue(10)).toBe(1);
  for (const key of ["a", "b", "c"]) expect(await box.line(key)).toEqual([head]);
});

test.concurrent("a patched time moves a task out of its line and back into its place by creation", async () => {
  await using box = await open();
  const first = await box.insert({ concurrencyKey: "k" });
  const second = await box.insert({ concurrencyKey: "k" });
  await box.insert({ concurrencyKey: "k" });
  await patch(box, first.id, { runAt: ahead() });
  expect(await box.line("k")).toEqual([out, head, behind]);
  await patch(box, second.id, { runAt: ahead() });
  expect(await box.line("k")).toEqual([out, out, head]);
  await patch(box, second.id, { runAt: ahead(-1_000) });
  expect(await box.line("k")).toEqual([out, head, behind]);
  await patch(box, first.id, { runAt: ahead(-1_000) });
  expect(await box.line("k")).toEqual([head, behind, behind]);
  await claimOne(box);
  await patch(box, second.id, { runAt: ahead() });
  await patch(box, second.id, { runAt: ahead(-1_000) });
  expect(await box.line("k")).toEqual([held, behind, behind]);
});

test.concurrent("a patched time or priority of a task without key decides whether and when it is claimed", async () => {
  await using box = await open();
  const [first, second, third] = [await box.insert(), await box.insert(), await box.insert()];
  await patch(box, first.id, { runAt: ahead() });
  await patch(box, third.id, { priority: 5 });
  expect((await box.claim(10)).map(({ task }) => task.id)).toEqual([third.id, second.id]);
  await patch(box, first.id, { runAt: ahead(-1_000) });
  expect((await box.claim(10)).map(({ task }) => task.id)).toEqual([first.id]);
});

test.concurrent("a priority does not let a task overtake in its line", async () => {
  await using box = await open();
  const [first, second] = [await box.insert({ concurrencyKey: "k" }), await box.insert({ concurrencyKey: "k" })];
  await patch(box, second.id, { priority: 100 });
  expect(await box.line("k")).toEqual([head, behind]);
  expect((await claimOne(box)).task.id).toBe(first.id);
});

test.concurrent("whoever leaves a line by hand gives its place on, from the front and from behind", async () => {
  await using box = await open();
  const made = [];
  for (let at = 0; at < 5; at++) made.push(await box.insert({ concurrencyKey: "k" }));
  const [first, second, third, fourth] = made.map((task) => task.id);
  if (!first || !second || !third || !fourth) throw new Error("five tasks were expected");
  await patch(box, second, { status: "completed" });
  expect(await box.line("k")).toEqual([head, out, behind, behind, behind]);
  await patch(box, first, { status: "failed" });
  expect(await box.line("k")).toEqual([out, out, head, behind, behind]);
  await box.store.cancelTree(third, { actor: "person:tester", reason: null });
  expect(await box.line("k")).toEqual([out, out, out, head, behind]);
  await patch(box, first, { status: "queued" });
  expect(await box.line("k")).toEqual([head, out, out, behind, behind]);
  await patch(box, fourth, { status: "waiting" });
  expect(await box.line("k")).toEqual([head, out, out, behind, behind]);
});

test.concurrent("a task that is younger than the end which promotes it can be claimed at once", async () => {
  await using box = await open();
  const { rows } = await box.pool.query("select k from unnest(array['a', 'b']) k order by hashtextextended(k, 7526)");
  const [first, second] = rows.map((row) => row.k as string);
  for (const concurrencyKey of [first, second]) await box.insert({ concurrencyKey });
  const claimed = await box.claim(2);
  const blocker = await box.pool.connect();
  await blocker.query("begin");
  await blocker.query("select key_lock(array[$1])", [first]);
  // It has begun, and waits for the first of its keys, while a task is made under the second one.
  const finished = box.store.finishAttempts(claimed.map((one) => finishOf(one)));
  await waiters(box);
  await box.insert({ concurrencyKey: second });
  await blocker.query("commit");
  blocker.release();
  await finished;
  expect(await box.line(second ?? "")).toEqual([out, head]);
});

test.concurrent("a key that lost its head by a repair by hand gets one from the sweep", async () => {
  await using box = await open();
  for (let at = 0; at < 3; at++) await box.insert({ concurrencyKey: "k" });
  await box.pool.query("update tasks set line = 2, ready = false");
  expect(await box.store.repairHeads()).toBe(1);
  expect(await box.store.repairHeads()).toBe(0);
  expect(await box.line("k")).toEqual([head, behind, behind]);
});

test.concurrent("two hundred keyed ends beside creations, cancels and wake-ups in opposite orders never deadlock", async () => {
  await using box = await open();
  const keys = Array.from({ length: 200 }, (_, at) => `k${at}`);
  const parent = await box.insert({ type: "other" });
  const late: string[] = [];
  for (const concurrencyKey of keys) {
    await Promise.all([box.insert({ concurrencyKey }), box.insert({ concurrencyKey, parentId: parent.id })]);
    if (late.length < 100) late.push((await box.insert({ concurrencyKey, runAt: ahead() })).id);
  }
  const claimed = await box.claim(200);
  await box.pool.query("update tasks set run_at = now() where id = any ($1)", [late]);
  const ends = claimed.map((one) => finishOf(one));
  await Promise.all([
    box.store.finishAttempts(ends.slice(0, 100)),
    box.store.finishAttempts(ends.slice(100).toReversed()),
    ...keys.toReversed().map((concurrencyKey) => box.insert({ concurrencyKey })),
    box.store.cancelTree(parent.id, { actor: "person:tester", reason: null }),
    box.store.joinDue(200),
    box.store.wakeDue(500),
    ...late
      .toReversed()
      .slice(0, 30)
      .map((id) => patch(box, id, { priority: 3 })),
  ]);
  const { rows } = await box.pool.query(
    "select concurrency_key from tasks group by 1 having bool_or(line = 2) and not coalesce(bool_or(line = 1), false)",
  );
  expect(rows).toEqual([]);
  const left = await box.pool.query("select count(*)::int as n from tasks where status = 'running'");
  expect(left.rows).toEqual([{ n: 0 }]);
});
