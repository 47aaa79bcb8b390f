import type { Task } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import {
  addEvents,
  addHistory,
  dayMs,
  hourMs,
  minuteMs,
  startAt,
  startWatcher,
  type Watcher,
} from "./watcher.fixture.ts";

const hour = startAt - 20 * minuteMs;
const flagOff = { type: "posthog.flag.set", payload: { flag: "new-signup", active: false } };
const deploy = { type: "render.deploy", payload: { serviceId: "srv-1" } };

/** A watcher whose metric has just fallen from 600 an hour to 120, for as long as the test does not say otherwise. */
async function withDrop(env: Record<string, string>, definition: object = {}): Promise<Watcher> {
  const watcher = await startWatcher({ env });
  addHistory(watcher, "other", { until: hour + 30 * dayMs, value: 300 });
  addHistory(watcher, "signed_up");
  watcher.posthog.control.addFlag({ key: "new-signup" });
  await watcher.put("signups", { event: "signed_up", ...definition });
  await watcher.run();
  addEvents(watcher, "signed_up", { from: hour, to: hour + hourMs, value: 20 });
  await watcher.later(hourMs);
  return watcher;
}

const theFinding = async (watcher: Watcher) => {
  const [finding] = await watcher.findings();
  if (!finding) throw new Error("nothing was found");
  return finding;
};
const eventsOf = async (watcher: Watcher, id: string): Promise<{ kind: string; data: Record<string, unknown> }[]> =>
  (await watcher.call(`/findings/${id}`)).body.events;
const waiting = (watcher: Watcher) => watcher.fleet.tasks.filter(({ waitingFor }) => waitingFor === "approval");

test("observe tells, and asks for nothing", async () => {
  await using watcher = await withDrop({ POSTHOG_MODE: "observe" }, { propose: [flagOff, deploy] });
  const finding = await theFinding(watcher);
  expect(finding.proposedTaskIds).toEqual([]);
  expect(watcher.fleet.tasks.map(({ type }) => type)).toEqual(["telegram.notify"]);
  expect(watcher.posthog.control.writes()).toEqual([]);
});

test("propose makes tasks that wait for approval, name their finding, and say what the flag was", async () => {
  await using watcher = await withDrop({ POSTHOG_MODE: "propose" }, { propose: [flagOff, deploy] });
  const finding = await theFinding(watcher);
  const tasks = waiting(watcher);
  expect(tasks.map(({ type }) => type)).toEqual(["posthog.flag.set", "render.deploy"]);
  expect(finding.proposedTaskIds).toEqual(tasks.map(({ id }) => id));
  expect(tasks[0]).toMatchObject({
    correlationId: `finding:${finding.id}`,
    approval: { reason: expect.stringContaining(finding.title) },
    payload: { flag: "new-signup", active: false, expected: { active: true, version: 1 } },
  });
  expect(watcher.posthog.control.writes()).toEqual([]);
});

test("what is less severe than a proposal wants is not proposed", async () => {
  await using watcher = await withDrop(
    { POSTHOG_MODE: "propose" },
    { severity: "warning", propose: { ...flagOff, when: "critical" } },
  );
  expect(await theFinding(watcher)).toMatchObject({ severity: "warning", proposedTaskIds: [] });
  expect(waiting(watcher)).toEqual([]);
});

test("in an integration that may only be read nothing is proposed, and the finding says why", async () => {
  await using watcher = await withDrop({ POSTHOG_MODE: "propose", POSTHOG_MAY_ACT: "telegram" }, { propose: flagOff });
  const { id } = await theFinding(watcher);
  expect(waiting(watcher)).toEqual([]);
  expect(await eventsOf(watcher, id)).toContainEqual(
    expect.objectContaining({
      kind: "not_proposed",
      data: { type: "posthog.flag.set", why: "POSTHOG_MAY_ACT does not name posthog" },
    }),
  );
});

const executing = { POSTHOG_MODE: "execute", POSTHOG_EXECUTE_ALLOW: "posthog.flag.set" };

test("execute runs what is listed unasked, and nothing else", async () => {
  await using watcher = await withDrop(executing, { propose: [flagOff, deploy] });
  expect(watcher.fleet.ofType("posthog.flag.set")).toMatchObject([{ waitingFor: null, status: "queued" }]);
  expect(waiting(watcher).map(({ type }) => type)).toEqual(["render.deploy"]);
});

test("render.* cannot be listed", async () => {
  const env = { POSTHOG_MODE: "execute", POSTHOG_EXECUTE_ALLOW: "posthog.flag.set,render.rollback" };
  await expect(startWatcher({ env })).rejects.toThrow(
    "POSTHOG_EXECUTE_ALLOW names render.rollback, which always waits for an approval",
  );
});

test("with the brake on, or the day's budget spent, execute only proposes", async () => {
  await using spent = await withDrop({ ...executing, POSTHOG_EXECUTE_PER_DAY: "0" }, { propose: flagOff });
  expect(waiting(spent)).toHaveLength(1);
  await using braked = await startWatcher({ env: executing });
  await braked.call("/watch/stop", { body: { reason: "holidays" } });
  addHistory(braked, "other", { until: hour + 30 * dayMs, value: 300 });
  addHistory(braked, "signed_up", { until: hour - hourMs });
  await braked.put("signups", { event: "signed_up", propose: flagOff });
  await braked.run();
  expect(waiting(braked)).toHaveLength(1);
  expect((await braked.call<{ stopped: { isStopped: boolean } }>("/watch/status")).body.stopped).toMatchObject({
    isStopped: true,
    why: "holidays",
  });
});

/** The orchestrator gives a task to the watcher. */
const carryOut = (watcher: Watcher, { id, type, payload }: Pick<Task, "id" | "type" | "payload">) =>
  watcher.call<{ result: unknown }>("/run/flag-set", {
    body: { taskId: id, type, payload, attempt: 1 },
    as: "service",
  });

/** The same, and it keeps what is answered. */
async function runTask(watcher: Watcher, type: string): Promise<void> {
  const task = watcher.fleet.ofType(type).find(({ status }) => status === "queued");
  if (!task) throw new Error(`no ${type} is queued`);
  const answer = await carryOut(watcher, task);
  expect(answer.status).toBe(200);
  Object.assign(task, {
    status: "completed",
    result: answer.body.result,
    finishedAt: new Date(watcher.clock.at).toISOString(),
  });
}

const isActive = (watcher: Watcher) => watcher.posthog.state.flags.find(({ key }) => key === "new-signup")?.active;

test("a fix that helped is left as it is", async () => {
  await using watcher = await withDrop(executing, { propose: flagOff });
  await runTask(watcher, "posthog.flag.set");
  expect(isActive(watcher)).toBe(false);
  addHistory(watcher, "signed_up", { from: hour + hourMs, until: hour + 8 * hourMs });
  for (let hours = 0; hours < 5; hours++) await watcher.later(hourMs);
  const finding = await theFinding(watcher);
  expect(finding.status).toBe("resolved");
  expect(await eventsOf(watcher, finding.id)).toContainEqual(
    expect.objectContaining({ kind: "checked", data: expect.objectContaining({ outcome: "helped" }) }),
  );
  expect(watcher.fleet.ofType("posthog.flag.set")).toHaveLength(1);
});

test("a fix that did not help is taken back, and nothing is executed unasked any more", async () => {
  await using watcher = await withDrop(executing, { propose: flagOff });
  await runTask(watcher, "posthog.flag.set");
  addEvents(watcher, "signed_up", { from: hour + hourMs, to: hour + 8 * hourMs, value: 20 });
  for (let hours = 0; hours < 3; hours++) await watcher.later(hourMs);
  const { id } = await theFinding(watcher);
  const outcomes = (await eventsOf(watcher, id))
    .filter(({ kind }) => kind === "checked")
    .map(({ data }) => data.outcome);
  expect(outcomes).toEqual(["reversed"]);
  await runTask(watcher, "posthog.flag.set");
  expect(isActive(watcher)).toBe(true);
  expect((await watcher.call<{ stopped: { isStopped: boolean } }>("/watch/status")).body.stopped.isStopped).toBe(true);
  await watcher.call("/watch/resume", { body: {} });
  expect((await watcher.call<{ stopped: { isStopped: boolean } }>("/watch/status")).body.stopped.isStopped).toBe(false);
});

test("what began in mode execute is not carried out in another mode, nor with the brake on", async () => {
  await using watcher = await withDrop(executing, { propose: flagOff });
  const [task] = watcher.fleet.ofType("posthog.flag.set");
  if (!task) throw new Error("nothing was executed");
  await watcher.call("/watch/stop", { body: { reason: "holidays" } });
  expect(await carryOut(watcher, task)).toMatchObject({ status: 422, body: { error: { code: "not_approved" } } });
  await watcher.call("/watch/resume", { body: {} });
  await watcher.stop();
  const { database, posthog, fleet, clock } = watcher;
  for (const mode of ["observe", "propose"]) {
    await using changed = await startWatcher({
      env: { ...executing, POSTHOG_MODE: mode },
      shared: { database, posthog, fleet, clock },
    });
    expect(await carryOut(changed, task)).toMatchObject({ status: 422, body: { error: { code: "not_approved" } } });
  }
  expect(posthog.control.writes()).toEqual([]);
});

test.each(["observe", "propose"])(
  "in mode %s nothing that nobody approved is carried out, whoever asks",
  async (mode) => {
    await using watcher = await startWatcher({ env: { ...executing, POSTHOG_MODE: mode } });
    watcher.posthog.control.addFlag({ key: "new-signup" });
    for (const actor of ["service:internal", "agent:other", "schedule:nightly", "webhook:github"]) {
      const answer = await carryOut(watcher, watcher.fleet.add(flagOff, actor));
      expect(answer).toMatchObject({ status: 422, body: { error: { code: "not_approved" } } });
    }
    const direct = await watcher.call<{ result: unknown }>("/run/flag-set", {
      body: { payload: flagOff.payload },
      as: "service",
    });
    expect(direct).toMatchObject({ status: 422, body: { error: { code: "not_allowed" } } });
    watcher.fleet.isAway = true;
    const blind = await carryOut(watcher, { id: crypto.randomUUID(), ...flagOff });
    expect(blind).toMatchObject({ status: 503, body: { error: { code: "unavailable" } } });
    expect(watcher.posthog.control.writes()).toEqual([]);
  },
);

test("a flag that somebody changed since it was decided about is left alone", async () => {
  await using watcher = await startWatcher({ env: { POSTHOG_MODE: "propose" } });
  watcher.posthog.control.addFlag({ key: "new-signup" });
  watcher.posthog.control.setFlag("new-signup", { filters: { groups: [] } });
  const payload = { flag: "new-signup", active: false, expected: { active: true, version: 1 } };
  const type = "posthog.flag.set";
  const refused = await carryOut(watcher, watcher.fleet.add({ type, payload }));
  expect(refused).toMatchObject({ status: 422, body: { error: { code: "flag_conflict" } } });
  expect(isActive(watcher)).toBe(true);
  const again = await carryOut(watcher, watcher.fleet.add({ type, payload: { ...payload, expected: { version: 2 } } }));
  expect(again.body.result).toMatchObject({
    isChange: true,
    after: { active: false },
    undo: { payload: { active: true } },
  });
});

test("a key that may only read cannot act, and says so", async () => {
  await using watcher = await startWatcher({ env: { POSTHOG_MODE: "propose" } });
  watcher.posthog.control.set({ scopes: ["query:read", "feature_flag:read", "annotation:read"] });
  watcher.posthog.control.addFlag({ key: "new-signup" });
  const answer = await carryOut(watcher, watcher.fleet.add(flagOff));
  expect(answer).toMatchObject({
    status: 422,
    body: { error: { code: "posthog_refused", message: expect.stringContaining("feature_flag:write") } },
  });
});

test("an annotation is written once, however often it is asked for", async () => {
  await using watcher = await startWatcher({ env: { POSTHOG_MODE: "propose" } });
  const payload = { content: "deploy api 1a2b3c4", at: new Date(startAt).toISOString(), key: "1a2b3c4" };
  const { id } = watcher.fleet.add({ type: "posthog.annotate", payload }, "service:internal");
  const annotate = () =>
    watcher.call<{ result: unknown }>("/run/annotate", { body: { taskId: id, attempt: 1, payload }, as: "service" });
  expect((await annotate()).body.result).toMatchObject({ isNew: true });
  expect((await annotate()).body.result).toMatchObject({ isNew: false });
  expect(watcher.posthog.state.annotations).toHaveLength(1);
});

test("who only observes leaves no note that nobody asked for, and a call that is no task leaves none at all", async () => {
  await using watcher = await startWatcher();
  const payload = { content: "deploy api 1a2b3c4" };
  const annotate = (taskId?: string) =>
    watcher.call<{ result: unknown }>("/run/annotate", {
      body: { ...(taskId && { taskId, attempt: 1 }), payload },
      as: "service",
    });
  const { id } = watcher.fleet.add({ type: "posthog.annotate", payload }, "agent:other");
  expect(await annotate(id)).toMatchObject({ status: 422, body: { error: { code: "not_approved" } } });
  expect(await annotate()).toMatchObject({ status: 422, body: { error: { code: "not_allowed" } } });
  expect(watcher.posthog.control.writes()).toEqual([]);
  const asked = watcher.fleet.add({ type: "posthog.annotate", payload }, "person:operator");
  expect((await annotate(asked.id)).body.result).toMatchObject({ isNew: true });
});

test("each deploy of the fleet asks for one annotation; observe asks for none", async () => {
  for (const [mode, count] of [
    ["propose", 1],
    ["observe", 0],
  ] as const) {
    await using watcher = await startWatcher({ env: { POSTHOG_MODE: mode } });
    watcher.fleet.add({
      type: "render.deploy",
      status: "completed",
      payload: { serviceId: "srv-1" },
      finishedAt: new Date(startAt).toISOString(),
    });
    await watcher.run();
    await watcher.run();
    expect(watcher.fleet.ofType("posthog.annotate")).toHaveLength(count);
  }
});

test("what was near in time stands in the finding, the likeliest first, and in the message", async () => {
  await using watcher = await startWatcher();
  addHistory(watcher, "other", { until: hour + 30 * dayMs, value: 300 });
  addHistory(watcher, "signed_up");
  await watcher.put("signups", { event: "signed_up" });
  await watcher.run();
  const at = (minutes: number) => new Date(hour - minutes * minuteMs).toISOString();
  watcher.fleet.add({ type: "render.deploy", status: "completed", payload: { name: "api" }, finishedAt: at(5) });
  watcher.fleet.add({ type: "render.deploy", status: "completed", payload: { name: "web" }, finishedAt: at(200) });
  watcher.fleet.add({
    type: "report.build",
    status: "failed",
    error: { code: "x", message: "disk full" },
    finishedAt: at(30),
  });
  await watcher.later(hourMs);
  const finding = await theFinding(watcher);
  expect(finding.probableCauses.map(({ kind, title }) => [kind, title])).toEqual([
    ["deploy", "render.deploy, name api"],
    ["task_failure", "report.build failed: disk full"],
    ["deploy", "render.deploy, name web"],
  ]);
  const [message] = watcher.fleet.ofType("telegram.notify").map(({ payload }) => (payload as { text: string }).text);
  expect(message).toContain("near in time: render.deploy, name api (5 minutes before the first bad bucket)");
});

test("without an orchestrator findings are found all the same, and told when it is back", async () => {
  await using watcher = await startWatcher({ env: { POSTHOG_MODE: "propose" } });
  watcher.fleet.isAway = true;
  addHistory(watcher, "other", { until: hour + 30 * dayMs, value: 300 });
  addHistory(watcher, "signed_up", { until: hour - hourMs });
  await watcher.put("signups", { event: "signed_up", propose: deploy });
  await watcher.run();
  expect(await theFinding(watcher)).toMatchObject({ status: "open", proposedTaskIds: [] });
  watcher.fleet.isAway = false;
  await watcher.database.pool.query("update watch_intents set not_before = now() - interval '1 s'");
  await watcher.run();
  expect((await theFinding(watcher)).proposedTaskIds).toHaveLength(1);
});

test("a fleet without a chat is no trouble, and a type that nobody runs is told on the finding", async () => {
  await using watcher = await startWatcher({ env: { POSTHOG_MODE: "propose" } });
  watcher.fleet.unknownTypes.push("telegram.notify", "render.deploy");
  addHistory(watcher, "other", { until: hour + 30 * dayMs, value: 300 });
  addHistory(watcher, "signed_up", { until: hour - hourMs });
  await watcher.put("signups", { event: "signed_up", propose: deploy });
  await watcher.run();
  const { id } = await theFinding(watcher);
  expect(await eventsOf(watcher, id)).toContainEqual(
    expect.objectContaining({ kind: "not_proposed", data: expect.objectContaining({ type: "render.deploy" }) }),
  );
});
