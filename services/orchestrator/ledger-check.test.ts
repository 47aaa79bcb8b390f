import { checkLedger, type SeenRun } from "@signalbox/testing/ledger-check.ts";
import { expect, test } from "vitest";
import { finishOf, type OpenStore, openStore } from "./store.fixture.ts";

/** The checker itself: it must stay silent when all is well, and see each kind of broken promise. */
async function startWell(): Promise<OpenStore> {
  const box = await openStore();
  for (let at = 0; at < 3; at++) await box.insert({ concurrencyKey: "k" });
  for (let at = 0; at < 2; at++) {
    const claimed = await box.claim(5);
    await box.store.finishAttempts(claimed.map((one) => finishOf(one)));
  }
  return box;
}

const seenRun = (members: Partial<SeenRun>): SeenRun => ({
  taskId: "t",
  key: "k",
  attempt: 1,
  begunAt: 0,
  answeredAt: 10,
  ...members,
});

test.concurrent("a sound ledger has no findings", async () => {
  await using box = await startWell();
  const seen = [seenRun({}), seenRun({ begunAt: 10 }), seenRun({ begunAt: 5, key: "other" })];
  expect(await checkLedger(box.pool, seen)).toEqual([]);
});

const again = "insert into task_events (task_id, kind, actor, version, data, state)";

test.concurrent.each([
  [
    "a task without a created event",
    "alter table task_events disable trigger user; delete from task_events where kind = 'created'",
    "created",
  ],
  ["a version that was left out", `update tasks set version = 9 where status = 'completed'`, "version"],
  ["an event that tells something else", "update tasks set priority = 7 where status = 'queued'", "does not tell"],
  ["a head that is missing", "update tasks set line = 2, ready = false where status = 'queued'", "nobody in front"],
  [
    "an attempt that came twice",
    `${again} select id, 'started', 'x', version + 1, '{"attempt": 1}', task_state(t) from tasks t where attempt = 1`,
    "attempts were",
  ],
  [
    "an end of nothing",
    `${again} select id, 'completed', 'x', version + 1, '{}', task_state(t) from tasks t where attempt = 1`,
    "nothing ran",
  ],
  [
    "a change that no task can make",
    `${again} select id, 'progress', 'x', version + 1, '{}', task_state(t) from tasks t where attempt = 1`,
    "came while the task was completed",
  ],
  [
    "a lease that was left over",
    "update tasks set status = 'running', ready = false, lease_id = gen_random_uuid(), lease_until = now() where status = 'queued'",
    "lease",
  ],
])("%s is seen", async (_what, damage, finding) => {
  await using box = await startWell();
  await box.pool.query(damage);
  expect((await checkLedger(box.pool, [])).join("\n")).toContain(finding);
});

test.concurrent("a key that two tasks held, and one that was out of order, are seen", async () => {
  await using box = await openStore();
  const first = await box.insert({ concurrencyKey: "k" });
  const second = await box.insert({ concurrencyKey: "k" });
  await box.pool.query("update tasks set line = null, ready = false where id = $1", [first.id]);
  await box.pool.query("update tasks set line = 1, ready = true where id = $1", [second.id]);
  const late = await box.claim(1);
  await box.pool.query(
    "alter table tasks drop constraint tasks_ready_head_check, drop constraint tasks_running_head_check",
  );
  await box.pool.query("update tasks set ready = true where id = $1", [first.id]);
  const early = await box.claim(1);
  await box.store.finishAttempts([...late, ...early].map((one) => finishOf(one)));
  const findings = (await checkLedger(box.pool, [])).join("\n");
  expect(findings).toContain(`${first.id} started while ${second.id} held it`);
  expect(findings).toContain(`${second.id} was not the number 2 to start`);
});

test.concurrent("runs that overlap in an agent are seen, unless the first was hung up on", async () => {
  await using box = await openStore();
  const overlap = [seenRun({ taskId: "a" }), seenRun({ taskId: "b", begunAt: 9 })];
  expect(await checkLedger(box.pool, overlap)).toEqual(["key k: b began while a ran"]);
  expect(await checkLedger(box.pool, [seenRun({ answeredAt: null }), seenRun({ begunAt: 9 })])).toEqual([]);
});
