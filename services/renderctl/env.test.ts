import { expect, test } from "vitest";
import { type Begun, type Renderctl, sideEffects, site, startRenderctl } from "./renderctl.fixture.ts";

const secret = "s3cret-that-nobody-may-see";

function addSite(box: Renderctl, count = 0) {
  const service = box.render.control.addService(site);
  for (let at = 0; at < count; at++) service.envVars.set(`KEY_${at}`, `välue ${at} \\ "quoted" = 🚦`);
  return service;
}

const patch = (box: Renderctl, id: string, body: unknown, as: "person" | "service" = "person") =>
  box.call<Begun & { set: string[]; deploy: unknown }>(`/render/services/${id}/env`, { method: "PATCH", body, as });

test("one key changes and thirty others stay as they are, byte for byte", async () => {
  await using box = await startRenderctl();
  const service = addSite(box, 30);
  const before = [...service.envVars];
  const reply = await patch(box, service.id, { env: { KEY_7: secret, NEW: "", KEY_8: before[8]?.[1] } });
  expect(reply).toMatchObject({ status: 200, body: { set: ["KEY_7", "NEW"], unchanged: ["KEY_8"], removed: [] } });
  const expected = new Map(before).set("KEY_7", secret).set("NEW", "");
  expect([...service.envVars]).toEqual([...expected]);
  expect(box.render.control.writes().map(({ method, path }) => `${method} ${path.split("/").at(-1)}`)).toEqual([
    "PUT KEY_7",
    "PUT NEW",
  ]);
});

test("clear removes what is not named, says what that was, and comes to the same when it is asked again", async () => {
  await using box = await startRenderctl();
  const service = addSite(box, 3);
  const body = { env: { KEY_1: "one", COUNT: 7, ON: true }, clear: true };
  const first = await patch(box, service.id, body);
  expect(first.body).toMatchObject({ set: ["COUNT", "KEY_1", "ON"], removed: ["KEY_0", "KEY_2"] });
  expect(Object.fromEntries(service.envVars)).toEqual({ KEY_1: "one", COUNT: "7", ON: "true" });
  const again = await patch(box, service.id, body);
  expect(again.body).toMatchObject({ set: [], unchanged: ["COUNT", "KEY_1", "ON"], removed: [] });
  expect(box.render.control.writes()).toHaveLength(1);
});

test("a person's call is a task of that person that needs no approval, with every write in its audit", async () => {
  await using box = await startRenderctl();
  const service = addSite(box);
  const { body } = await patch(box, service.id, { env: { A: "1", B: "2" }, deploy: true });
  const task = await box.until(body.taskId, ({ status }) => status === "completed");
  expect(task).toMatchObject({ type: "render.env", approval: null, userKey: "person:operator" });
  expect(task.events[0]).toMatchObject({ kind: "created", actor: "person:operator" });
  expect(sideEffects(task)).toEqual(["PUT update-env-var", "PUT update-env-var", "POST create-deploy"]);
  expect(body.deploy).toMatchObject({ id: service.deploys[0]?.id, trigger: "api" });
});

test("a deploy that was asked for with the variables is followed to its end, and the task ends as it does", async () => {
  await using box = await startRenderctl({ render: { stageMs: 150 } });
  const service = addSite(box, 1);
  box.render.control.scriptBuild({ serviceId: service.id, times: 1, status: "build_failed", log: ["no"] });
  const failing = await patch(box, service.id, { env: { A: "1", KEY_0: service.envVars.get("KEY_0") }, deploy: true });
  const merge = { set: ["A"], unchanged: ["KEY_0"], removed: [] };
  expect(failing).toMatchObject({ status: 200, body: { ...merge, deploy: { id: service.deploys[0]?.id } } });
  const failed = await box.until(failing.body.taskId, ({ status }) => status === "failed");
  expect(failed.error).toMatchObject({
    code: "build_failed",
    details: { ...merge, deploy: { status: "build_failed" } },
  });
  const { body } = await patch(box, service.id, { env: { A: "2" }, deploy: true });
  const done = await box.until(body.taskId, ({ status }) => status === "completed");
  expect(done.result).toMatchObject({ set: ["A"], deploy: { id: service.deploys[0]?.id, status: "live" } });
  expect(done.events.filter(({ kind }) => kind === "progress").length).toBeGreaterThan(0);
  expect(service.deploys).toHaveLength(2);
});

test("a service's call waits for a person, changes nothing before, and is done after the approval", async () => {
  await using box = await startRenderctl();
  const service = addSite(box);
  const asked = await patch(box, service.id, { env: { A: secret } }, "service");
  expect(asked).toMatchObject({ status: 202, body: { status: "waiting", waitingFor: "approval" } });
  expect(asked.headers.location).toBe(`/task/${asked.body.taskId}`);
  expect(service.envVars.size).toBe(0);
  const { version, payload } = await box.task(asked.body.taskId);
  expect(payload).toEqual({ serviceId: service.id, env: { A: "[redacted]" } });
  await box.onOrchestrator(`/task/${asked.body.taskId}/approve`, { method: "POST", body: { ifVersion: version } });
  await box.until(asked.body.taskId, ({ status }) => status === "completed");
  expect(service.envVars.get("A")).toBe(secret);
});

test("what a service asks for a person is that person's call; an agent's name opens nothing", async () => {
  await using box = await startRenderctl();
  const service = addSite(box);
  const call = (user: string) =>
    box.call(`/render/services/${service.id}/env`, {
      ...{ method: "PATCH", as: "service", body: { env: { A: user } } },
      headers: { "x-on-behalf-of": user },
    });
  const done = await call("telegram:77");
  expect(done).toMatchObject({ status: 200, body: { set: ["A"] } });
  expect(await box.task(done.body.taskId)).toMatchObject({ userKey: "telegram:77", approval: null });
  expect((await call("renderctl")).status).toBe(403);
  expect(service.envVars.get("A")).toBe("telegram:77");
});

test("the task type does the same as the direct call, and waits when no person asked", async () => {
  await using box = await startRenderctl();
  const service = addSite(box);
  const body = { type: "render.env", payload: { serviceId: service.id, env: { A: secret } } };
  const { id } = await box.makeTask(body);
  expect((await box.until(id, ({ status }) => status === "completed")).result).toEqual({
    ...{ serviceId: service.id, set: ["A"], unchanged: [], removed: [] },
  });
  expect(await box.makeTask(body, "service")).toMatchObject({ status: "waiting", waitingFor: "approval" });
});

test("no value is in any answer, event, task or table, also when Render repeats it in an error", async () => {
  await using box = await startRenderctl();
  const service = addSite(box);
  const message = `bad value ${secret} for KEY`;
  box.render.control.fail({ on: "update-env-var", kind: "status", status: 400, message, times: 1 });
  const failed = await patch(box, service.id, { env: { KEY: secret } });
  expect(failed).toMatchObject({ status: 422, body: { error: { code: "render_refused" } } });
  const done = await patch(box, service.id, { env: { KEY: secret } });
  const read = await box.call(`/render/services/${service.id}/env`);
  const tasks = await box.onOrchestrator("/tasks");
  const tables = ["tasks", "task_events", "render_intents", "render_deploys"].map(async (table) =>
    JSON.stringify((await box.database.pool.query(`select * from ${table}`)).rows),
  );
  for (const text of [failed.text, done.text, read.text, tasks.text, ...(await Promise.all(tables))]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(box.render.token);
  }
  expect(service.envVars.get("KEY")).toBe(secret);
});

test("what stands to no blueprint is only live, and its values are not shown", async () => {
  await using box = await startRenderctl();
  const service = addSite(box, 2);
  const reply = await box.call(`/render/services/${service.id}/env`);
  expect(reply.body).toEqual({
    items: [
      { key: "KEY_0", state: "only_live" },
      { key: "KEY_1", state: "only_live" },
    ],
  });
});

const badBodies: [object, string][] = [
  [{ env: { "1BAD": "x" } }, "/env"],
  [{ env: { "A B": "x" } }, "/env"],
  [{ env: { A: null } }, "/env/A"],
  [{ env: { A: ["x"] } }, "/env/A"],
  [{}, "/env"],
  [{ env: {}, clean: true }, "/clean"],
];

test("what is no set of variables is refused with its path", async () => {
  await using box = await startRenderctl();
  const service = addSite(box);
  for (const [body, path] of badBodies) {
    const reply = await patch(box, service.id, body);
    expect(reply.status).toBe(400);
    expect(reply.body.error.details[0]?.path.startsWith(path)).toBe(true);
  }
  expect(box.render.state.requests).toEqual([]);
});

test("every key of .env.example in one call", async () => {
  await using box = await startRenderctl();
  const service = addSite(box);
  const env = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`SETTING_${at}`, `${at}`]));
  const reply = await patch(box, service.id, { env });
  expect(reply.body.set).toHaveLength(60);
  expect(service.envVars.size).toBe(60);
});
