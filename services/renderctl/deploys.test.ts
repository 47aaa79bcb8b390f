import { randomUUID } from "node:crypto";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { type Items, type Renderctl, sideEffects, site, startRenderctl } from "./renderctl.fixture.ts";

const post = (box: Renderctl, path: string, body?: unknown) =>
  box.call(path, { method: "POST", ...(body !== undefined && { body }) });
const creations = (box: Renderctl) =>
  box.render.state.requests.filter(({ operation }) => operation === "create-deploy");
const hasEnded = ({ status }: { status: string }) => ["completed", "failed", "canceled"].includes(status);

test("a deploy is answered when it has begun, and its task follows it to the end", async () => {
  await using box = await startRenderctl({ render: { stageMs: 60_000 } });
  const service = box.render.control.addService(site);
  const begun = await post(box, `/render/deploy/${service.id}`, { clearCache: true });
  const [deploy] = service.deploys;
  expect(begun).toMatchObject({
    status: 201,
    body: { id: deploy?.id, deployId: deploy?.id, status: "created", trigger: "api" },
  });
  expect(deploy?.clearCache).toBe(true);
  for (const words of ["waits to begin", "is being built", "is being started"]) {
    await box.until(begun.body.taskId, ({ progress }) => progress?.message.endsWith(words) === true);
    box.render.control.set({ advanceMs: 60_000 });
  }
  const task = await box.until(begun.body.taskId, hasEnded);
  expect(task).toMatchObject({ type: "render.deploy", status: "completed", approval: null });
  expect(task.result).toMatchObject({ deploy: { id: deploy?.id, status: "live" }, url: "https://site.onrender.com" });
  expect(sideEffects(task)).toEqual(["POST create-deploy"]);
  const list = await box.call<Items<unknown>>(`/render/services/${service.id}/deploys`);
  expect(list.body.items).toMatchObject([{ id: deploy?.id, status: "live", taskId: task.id, traceId: task.traceId }]);
});

test("a deploy that fails fails its task with Render's word for it, once, and a retry by hand deploys anew", async () => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  box.render.control.scriptBuild({ serviceId: service.id, times: 1, status: "build_failed", log: ["==> no"] });
  const { body } = await post(box, `/render/deploy/${service.id}`, {});
  const failed = await box.until(body.taskId, hasEnded);
  expect(failed).toMatchObject({ status: "failed", attempt: 1, error: { code: "build_failed", retryable: false } });
  await box.onOrchestrator(`/task/${body.taskId}/retry`, { method: "POST", body: {} });
  const again = await box.until(body.taskId, ({ status, attempt }) => attempt === 2 && status === "completed");
  expect(again.result).toMatchObject({ deploy: { status: "live" } });
  expect(creations(box)).toHaveLength(2);
});

test.each(["lose_after", "status_after"] as const)("after %s nothing is deployed twice", async (kind) => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  box.render.control.fail({ on: "create-deploy", kind, status: 503, times: 1 });
  const { status, body } = await post(box, `/render/deploy/${service.id}`, {});
  expect(status).toBe(201);
  const task = await box.until(body.taskId, hasEnded);
  expect(task).toMatchObject({ status: "completed", attempt: 2, result: { deploy: { id: service.deploys[0]?.id } } });
  expect(creations(box)).toHaveLength(1);
});

test("a process that dies while it follows costs nothing: the next attempt follows the same deploy", async () => {
  await using box = await startRenderctl({ render: { stageMs: 60_000 } });
  const service = box.render.control.addService(site);
  const { body } = await post(box, `/render/deploy/${service.id}`, {});
  await box.until(body.taskId, ({ progress }) => progress !== null);
  await box.stop(box.app);
  await box.start();
  // What an orchestrator finds when the lease of a dead agent has run out.
  await box.database.pool.query("update tasks set lease_until = now() - interval '1 s' where id = $1", [body.taskId]);
  await box.until(body.taskId, ({ attempt }) => attempt === 2);
  box.render.control.set({ advanceMs: 600_000 });
  const task = await box.until(body.taskId, hasEnded);
  expect(task).toMatchObject({ status: "completed", result: { deploy: { id: body.deployId } } });
  expect(creations(box)).toHaveLength(1);
});

test("a queued deploy that Render answers without an id is found", async () => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  box.render.control.deploy(service);
  box.render.control.set({ queueNext: 1 });
  const { body } = await post(box, `/render/deploy/${service.id}`, {});
  expect(body).toMatchObject({ id: service.deploys[0]?.id, trigger: "api" });
});

test("whoever cancels the task cancels its deploy, and that is in the audit", async () => {
  await using box = await startRenderctl({ render: { stageMs: 60_000 } });
  const service = box.render.control.addService(site);
  const { body } = await post(box, `/render/deploy/${service.id}`, {});
  await box.until(body.taskId, ({ progress }) => progress !== null);
  await box.onOrchestrator(`/task/${body.taskId}/cancel`, { method: "POST", body: {} });
  await eventually(() => service.deploys[0]?.status === "canceled", { what: "the end of the deploy" });
  const task = await box.until(
    body.taskId,
    ({ events }) => events.filter(({ kind }) => kind === "side_effect").length === 2,
  );
  expect(sideEffects(task)).toEqual(["POST create-deploy", "POST cancel-deploy"]);
});

test("a deploy under way is canceled by its id; one that has ended stays as it is", async () => {
  await using box = await startRenderctl({ render: { stageMs: 60_000 } });
  const service = box.render.control.addService(site);
  const { body } = await post(box, `/render/deploy/${service.id}`, {});
  const cancel = () => post(box, `/render/services/${service.id}/deploys/${body.deployId}/cancel`);
  expect(await cancel()).toMatchObject({ status: 200, body: { canceled: true, deploy: { status: "canceled" } } });
  expect(await cancel()).toMatchObject({ status: 200, body: { canceled: false, deploy: { status: "canceled" } } });
  expect(await box.until(body.taskId, hasEnded)).toMatchObject({ status: "failed", error: { code: "canceled" } });
});

test("a rollback goes to the last good deploy before the live one, and says that a push would undo it", async () => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  const [good, broken] = [box.render.control.deploy(service), box.render.control.set({})];
  expect(broken).toBeUndefined();
  box.render.control.scriptBuild({ serviceId: service.id, times: 1, status: "build_failed", log: [] });
  box.render.control.deploy(service);
  box.render.control.set({});
  box.render.control.deploy(service);
  box.render.control.set({});
  const reply = await post(box, `/render/rollback/${service.id}`);
  expect(reply).toMatchObject({ status: 201, body: { trigger: "rollback", commit: { id: good.commit?.id } } });
  const asked = box.render.state.requests.find(({ operation }) => operation === "rollback-deploy");
  expect(asked?.body).toEqual({ deployId: good.id });
  const task = await box.until(reply.body.taskId, hasEnded);
  expect(task.result).toMatchObject({ deploy: { status: "live" }, note: expect.stringContaining("next push") });
});

test("there is no rollback to nothing, nor to what was never live", async () => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  box.render.control.scriptBuild({ serviceId: service.id, times: 1, status: "build_failed", log: [] });
  const bad = box.render.control.deploy(service);
  for (const body of [{}, { deployId: bad.id }]) {
    const reply = await post(box, `/render/rollback/${service.id}`, body);
    const error = { code: "no_rollback_target", details: [{ taskId: expect.any(String) }] };
    expect(reply).toMatchObject({ status: 409, body: { error } });
  }
  expect(box.render.control.writes()).toEqual([]);
});

test.each([
  ["a service that does not exist", "srv-nothing", 404, "not_found"],
  ["one that is suspended", null, 422, "render_refused"],
])("%s is told so, as Render says it", async (_what, id, status, code) => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  service.isSuspended = true;
  const reply = await post(box, `/render/deploy/${id ?? service.id}`, {});
  expect(reply).toMatchObject({
    status,
    body: { error: { code, message: expect.stringContaining("Render answered") } },
  });
});

test("the internal key alone gets nothing done: a run that is no task's attempt is refused", async () => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  const waiting = await box.call(`/render/deploy/${service.id}`, { method: "POST", body: {}, as: "service" });
  expect(waiting).toMatchObject({ status: 202, body: { waitingFor: "approval" } });
  const payload = { serviceId: service.id };
  for (const taskId of [undefined, randomUUID(), waiting.body.taskId]) {
    const body = { type: "render.deploy", payload, attempt: 1, ...(taskId && { taskId }) };
    const reply = await box.call("/run/render/deploy", { method: "POST", body, as: "service" });
    expect(reply).toMatchObject({ status: 422, body: { error: { code: "no_such_run" } } });
  }
  expect(box.render.state.requests).toEqual([]);
});

test("the same call with the same key is one deploy", async () => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  const call = () =>
    box.call(`/render/deploy/${service.id}`, { method: "POST", body: {}, headers: { "idempotency-key": "once" } });
  const [first, second] = [await call(), await call()];
  expect([second.status, second.text]).toEqual([first.status, first.text]);
  expect(second.body.taskId).toBe(first.body.taskId);
  expect(creations(box)).toHaveLength(1);
});

test("without an orchestrator nothing is done, because nobody would know of it", async () => {
  await using box = await startRenderctl();
  const service = box.render.control.addService(site);
  await box.orchestrator.stop();
  const reply = await post(box, `/render/deploy/${service.id}`, {});
  expect(reply).toMatchObject({ status: 503, body: { error: { code: "unavailable" } } });
  expect(creations(box)).toEqual([]);
});
