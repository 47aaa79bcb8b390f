import type { Schedule } from "@signalbox/common/contracts/schedule.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { type Items, type Orchestrator, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";

const make = (box: Orchestrator, body: object) =>
  box.call("/schedules", {
    method: "POST",
    body: { name: "nightly", task: { type: "work", payload: { n: 1 } }, ...body },
  });

const nobody = "0198c0de-0000-7000-8000-000000000000";

test.concurrent("a schedule is made, read, changed, paused, run by hand and deleted", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  const made = await make(box, { cron: "0 3 * * *", timezone: "Europe/Berlin" });
  expect(made).toMatchObject({
    status: 201,
    body: { missed: "skip", enabled: true, lastTaskId: null, nextAt: expect.any(String) },
  });
  const path = `/schedules/${made.body.id}`;
  expect(made.headers.location).toBe(path);
  expect((await box.call<Items<Schedule>>("/schedules")).body.items).toEqual([made.body]);
  expect((await box.call(path, { method: "PATCH", body: { enabled: false } })).body).toMatchObject({
    enabled: false,
    nextAt: null,
  });
  const every = await box.call<Schedule>(path, { method: "PATCH", body: { everySeconds: 3600, enabled: true } });
  expect(every.body).toMatchObject({ cron: null, everySeconds: 3600, enabled: true, nextAt: expect.any(String) });
  const run = await box.call(`${path}/run`, { method: "POST" });
  expect(run).toMatchObject({ status: 201, body: { type: "work", source: "schedule:nightly", payload: { n: 1 } } });
  expect((await box.call(path)).body).toMatchObject({
    lastTaskId: run.body.id,
    lastFiredAt: expect.any(String),
    nextAt: every.body.nextAt,
  });
  expect((await box.call(path, { method: "DELETE" })).status).toBe(204);
  expect((await box.call(path)).status).toBe(404);
  expect((await box.get(run.body.id)).id).toBe(run.body.id);
});

test.concurrent.each([
  [{ cron: "nonsense" }, 400],
  [{ cron: "* * * * *", everySeconds: 5 }, 400],
  [{}, 400],
  [{ at: "2020-01-01T00:00:00Z" }, 400],
  [{ everySeconds: 0 }, 400],
  [{ cron: "* * * * *", timezone: "Nowhere/Land" }, 400],
  [{ everySeconds: 60, timezone: "Nowhere/Land" }, 400],
  [{ cron: "* * * * *", task: { type: "unheard.of" } }, 422],
  [{ cron: "* * * * *", task: { type: "work", runAt: "2030-01-01T00:00:00Z" } }, 400],
  [{ everySeconds: 1, task: { type: "work", parentId: nobody } }, 400],
])("%j is refused", async (body, status) => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  expect((await make(box, body)).status).toBe(status);
  expect((await box.call<Items<Schedule>>("/schedules")).body.items).toEqual([]);
});

test.concurrent("three orchestrators make each fire once, and late ones as the policy says", async () => {
  await using database = await freshDatabase();
  await using first = await startOrchestrator({ database });
  await using _second = await startOrchestrator({ database });
  await using _third = await startOrchestrator({ database });
  await using agent = await startAgent(() => ({ result: 1 }));
  await first.register(agent, [{}]);
  const ids: Record<string, string> = {};
  for (const missed of ["skip", "once", "all"]) {
    const made = await make(first, {
      name: missed,
      everySeconds: 600,
      missed,
      task: { type: "work", userKey: missed },
    });
    ids[missed] = made.body.id;
  }
  const soon = await make(first, { name: "soon", everySeconds: 1, task: { type: "work", userKey: "soon" } });
  // As if nobody had been there for half an hour, and the last fire was three minutes ago.
  await database.pool.query(
    "update schedules set anchor_at = now() - interval '33 minutes', next_at = now() - interval '23 minutes' where every_seconds = 600",
  );
  await first.call(`/schedules/${ids.skip}`, { method: "PATCH", body: { name: "skip" } });
  const made = (key: string) =>
    database.pool.query("select id from tasks where user_key = $1", [key]).then(({ rows }) => rows.length);
  await eventually(async () => (await made("all")) === 3 && (await made("once")) === 1 && (await made("soon")) >= 3, {
    what: "the fires",
  });
  expect(await made("skip")).toBe(0);
  const { rows } = await database.pool.query(
    "select count(*)::int as fires, count(distinct fire_at)::int as moments from schedule_fires where schedule_id = $1",
    [soon.body.id],
  );
  expect(rows[0].fires).toBe(rows[0].moments);
  expect(rows[0].fires).toBe(await made("soon"));
});

test.concurrent("one whose task cannot be made says why, and holds up no other", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  const bad = await make(box, { everySeconds: 3600 });
  await box.database.pool.query(
    `update schedules set task = task || jsonb_build_object('parentId', $1::text), next_at = now() - interval '1 second'`,
    [nobody],
  );
  const good = await make(box, { everySeconds: 1 });
  const read = async (id: string) => (await box.call<Schedule>(`/schedules/${id}`)).body;
  await eventually(async () => (await read(good.body.id)).lastTaskId, { what: "a fire of the good one" });
  expect(await read(bad.body.id)).toMatchObject({ lastError: expect.stringContaining(nobody), lastTaskId: null });
  expect((await box.call(`/schedules/${bad.body.id}/run`, { method: "POST" })).status).toBe(422);
});

test.concurrent("a patch that says the timing as it is moves no fire, nor does it lose one that is due", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const patch = (id: string, body: object) => box.call<Schedule>(`/schedules/${id}`, { method: "PATCH", body });
  const every = await make(box, { everySeconds: 600 });
  await box.database.pool.query("update schedules set next_at = next_at - interval '5 minutes'");
  const nextAt = (await box.call<Schedule>(`/schedules/${every.body.id}`)).body.nextAt;
  expect((await patch(every.body.id, { everySeconds: 600, timezone: "Europe/Berlin" })).body.nextAt).toBe(nextAt);

  const at = new Date(Date.now() - 60_000).toISOString();
  const once = await make(box, { at: "2090-01-01T00:00:00Z", missed: "once" });
  const { id } = once.body;
  await box.database.pool.query("update schedules set once_at = $1, next_at = $1 where id = $2", [at, id]);
  expect(await patch(id, { name: "renamed", at })).toMatchObject({ status: 200, body: { name: "renamed" } });
  const read = async () => (await box.call<Schedule>(`/schedules/${id}`)).body;
  await eventually(async () => (await read()).lastTaskId, { what: "the fire that was due" });
  expect(await patch(id, { name: "spent", at })).toMatchObject({
    status: 200,
    body: { nextAt: null, lastFiredAt: at },
  });
});

test.concurrent("a moment may be told with any offset that RFC 3339 has", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const made = await make(box, { at: "2090-01-01T00:00:00+20:00" });
  expect(made).toMatchObject({ status: 201, body: { at: "2089-12-31T04:00:00.000Z" } });
  const body = { at: "2091-01-01T00:00:00-23:59" };
  expect(await box.call(`/schedules/${made.body.id}`, { method: "PATCH", body })).toMatchObject({
    status: 200,
    body: { at: "2091-01-01T23:59:00.000Z", nextAt: "2091-01-01T23:59:00.000Z" },
  });
});

test.concurrent("a schedule makes no task with a member that its type has come to call a secret", async () => {
  await using box = await startOrchestrator({ env: { SECRETS_KEY: "k".repeat(32) } });
  const agent = { url: "http://127.0.0.1:9" };
  await box.register(agent, [{}]);
  const task = { type: "work", payload: { pin: "12-34" } };
  const made = await make(box, { everySeconds: 3600, task });
  const payloadSchema = { type: "object", properties: { pin: { type: "string", writeOnly: true } } };
  await box.register(agent, [{ payloadSchema }]);
  const run = await box.call(`/schedules/${made.body.id}/run`, { method: "POST" });
  expect(run).toMatchObject({ status: 422, body: { error: { message: expect.stringContaining("/pin") } } });
  expect((await box.call<Items<unknown>>("/tasks")).body.items).toEqual([]);
});

test.concurrent("a schedule whose payload its type would not take any more can be paused, and not resumed", async () => {
  await using box = await startOrchestrator();
  const agent = { url: "http://127.0.0.1:9" };
  await box.register(agent, [{}]);
  const path = `/schedules/${(await make(box, { everySeconds: 3600 })).body.id}`;
  await box.register(agent, [{ payloadSchema: { type: "object", required: ["place"] } }]);
  const patch = (body: object) => box.call<Schedule>(path, { method: "PATCH", body });
  expect(await patch({ enabled: false })).toMatchObject({ status: 200, body: { enabled: false } });
  expect((await patch({ enabled: true })).status).toBe(400);
  const task = { type: "work", payload: { place: "here" } };
  expect(await patch({ enabled: true, task })).toMatchObject({ status: 200, body: { enabled: true, task } });
});
