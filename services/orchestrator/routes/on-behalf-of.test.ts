import { expect, test } from "vitest";
import { basic, type Orchestrator, startAgent, startOrchestrator } from "../orchestrator.fixture.ts";

const waiting = { type: "work", approval: { required: true, reason: "costs money" } };

function decide(box: Orchestrator, path: string, user: string | null, body: object = { ifVersion: 1 }) {
  const headers: Record<string, string> = user === null ? {} : { "x-on-behalf-of": user };
  return box.call(path, { method: "POST", body, headers, as: "service" });
}

async function startStill(): Promise<Orchestrator> {
  const box = await startOrchestrator();
  await box.register(
    { url: "http://127.0.0.1:9" },
    [{ type: "work" }, { type: "careful", approval: "required" }],
    "worker",
  );
  await box.register({ url: "http://127.0.0.1:9" }, [{ type: "other" }], "worker");
  return box;
}

test.concurrent.each(["approve", "reject"])(
  "a service may %s for a person, who is the one recorded",
  async (verdict) => {
    await using box = await startStill();
    const task = await box.post({ ...waiting, type: "other", runAt: "2199-01-01T00:00:00Z" });
    expect(await decide(box, `/task/${task.id}/${verdict}`, null)).toMatchObject({
      status: 403,
      body: { error: { code: "forbidden", message: expect.stringContaining("X-On-Behalf-Of") } },
    });
    const done = await decide(box, `/task/${task.id}/${verdict}`, "telegram:77");
    expect(done).toMatchObject({ status: 200, body: { approval: { decidedBy: "telegram:77" } } });
    expect((await box.get(task.id)).events.at(-1)).toMatchObject({ actor: "telegram:77", version: 2 });
  },
);

test.concurrent("no agent decides, by its name or by its instance, whoever made the task", async () => {
  await using box = await startStill();
  const task = await box.post(waiting);
  for (const name of ["worker", "worker-1"]) {
    for (const action of ["approve", "reject"]) {
      expect(await decide(box, `/task/${task.id}/${action}`, name)).toMatchObject({ status: 403 });
    }
    expect(await decide(box, `/task/${task.id}/input`, name, { ifVersion: 1, input: 1 })).toMatchObject({
      status: 403,
    });
  }
  expect((await box.get(task.id)).version).toBe(1);
});

test.concurrent.each(["", " ", "agent:worker", "service:internal", "x".repeat(201)])(
  "%j is nobody's user key",
  async (user) => {
    await using box = await startStill();
    const task = await box.post(waiting);
    const reply = await decide(box, `/task/${task.id}/approve`, user);
    expect([400, 403]).toContain(reply.status);
    expect((await box.get(task.id)).version).toBe(1);
  },
);

test.concurrent("an answer for a person goes to the agent and names the person", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) =>
    call.input === undefined ? { waiting: { for: "input", prompt: "which?" } } : { result: call.input },
  );
  await box.register(agent, [{}]);
  const { id } = await box.post({ type: "work" });
  const parked = await box.until(id, (now) => now.status === "waiting");
  const body = { ifVersion: parked.version, input: "blue" };
  expect((await decide(box, `/task/${id}/input`, null, body)).status).toBe(403);
  expect((await decide(box, `/task/${id}/input`, "telegram:77", body)).status).toBe(200);
  const done = await box.until(id, (now) => now.status === "completed");
  expect(done.result).toBe("blue");
  expect(done.events.find((event) => event.kind === "input_received")?.actor).toBe("telegram:77");
});

test.concurrent("a careful type runs at once when a person wants it, here or through a service, and waits for all others", async () => {
  await using box = await startStill();
  await box.register({ url: "http://127.0.0.1:9" }, [{ type: "careful", approval: "required" }], "careful");
  const body = { type: "careful" };
  const make = (headers: Record<string, string>) => box.call("/task", { method: "POST", body, headers, as: "service" });
  expect((await make({})).body).toMatchObject({ status: "waiting", waitingFor: "approval", userKey: null });
  expect((await make({ "x-on-behalf-of": "telegram:77" })).body).toMatchObject({
    status: "queued",
    userKey: "telegram:77",
    source: "internal",
  });
  expect((await make({ "x-on-behalf-of": "careful" })).status).toBe(403);
  expect(await box.post(body)).toMatchObject({ status: "queued", source: "api" });
});

test.concurrent("a person has no need of the header, and it changes nothing for them", async () => {
  await using box = await startStill();
  const task = await box.post(waiting);
  const headers = { "x-on-behalf-of": "somebody-else" };
  const reply = await box.call(`/task/${task.id}/approve`, { method: "POST", body: { ifVersion: 1 }, headers });
  expect(reply).toMatchObject({ status: 200, body: { approval: { decidedBy: "person:operator" } } });
});

test.concurrent("what a person agreed to is what runs: a service cannot put another payload in its place", async () => {
  await using box = await startStill();
  const careful = { type: "careful", payload: { n: 1 }, runAt: "2090-01-01T00:00:00Z" };
  const make = (as: "person" | "service") => box.call("/task", { method: "POST", body: careful, as });
  const edit = (id: string, ifVersion: number, headers: Record<string, string> = {}) =>
    box.call(`/task/${id}`, {
      method: "PATCH",
      body: { ifVersion, payload: { version: ifVersion } },
      headers,
      as: "service",
    });
  const asked = (await make("service")).body;
  expect((await edit(asked.id, 1)).status).toBe(200);
  await box.call(`/task/${asked.id}/approve`, { method: "POST", body: { ifVersion: 2 } });
  const own = (await make("person")).body;
  const agreed: Record<string, unknown> = { [asked.id]: { version: 1 }, [own.id]: { n: 1 } };
  for (const [id, version] of [[asked.id, 3] as const, [own.id, 1] as const]) {
    expect(await edit(id, version)).toMatchObject({ status: 403, body: { error: { code: "forbidden" } } });
    expect((await edit(id, version, { "x-on-behalf-of": "worker" })).status).toBe(403);
    expect(await box.get(id)).toMatchObject({ version, payload: agreed[id] });
    expect((await edit(id, version, { "x-on-behalf-of": "telegram:77" })).status).toBe(200);
  }
});

test.concurrent("a service that sends both credentials still speaks for the person whom it names", async () => {
  await using box = await startStill();
  const task = await box.post(waiting);
  const headers = { authorization: basic, "x-on-behalf-of": "telegram:77" };
  const body = { ifVersion: 1 };
  const reply = await box.call(`/task/${task.id}/approve`, { method: "POST", body, headers, as: "service" });
  expect(reply).toMatchObject({ status: 200, body: { approval: { decidedBy: "telegram:77" } } });
});

test.concurrent("an agent's question does not make what was approved open to others", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ waiting: { for: "input", prompt: "which?" } }));
  await box.register(agent, [{}]);
  const { id } = await box.post(waiting);
  await box.call(`/task/${id}/approve`, { method: "POST", body: { ifVersion: 1 } });
  const { version } = await box.until(id, (now) => now.waitingFor === "input");
  const body = { ifVersion: version, payload: { other: true } };
  expect((await box.call(`/task/${id}`, { method: "PATCH", body, as: "service" })).status).toBe(403);
  expect((await box.call(`/task/${id}`, { method: "PATCH", body })).status).toBe(200);
});
