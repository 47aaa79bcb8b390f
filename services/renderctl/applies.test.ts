import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { openWorkshop, repository, shop } from "./blueprints.fixture.ts";

const statesOf = (steps: { step: { id: string }; state: string }[]) =>
  steps.map(({ step, state }) => `${step.id} ${state}`);

test.concurrent("an empty account is filled from the blueprint, and the second apply writes nothing", async () => {
  await using workshop = await openWorkshop(shop);
  const { render } = workshop;
  const apply = await workshop.apply();
  expect(apply).toMatchObject({ state: "done", error: null });
  expect(statesOf(apply?.steps ?? [])).toEqual([
    "create:envgroup/shared done",
    "create:database/db done",
    "create:keyvalue/cache done",
    "create:service/site done",
    "create:service/api done",
    "create:service/mailer done",
    "update:service/site:addresses done",
    "link:service/api:shared done",
    "link:service/mailer:shared done",
    "deploy:service/site done",
    "deploy:service/api done",
    "deploy:service/mailer done",
  ]);
  const named = (name: string) => render.state.services.find((one) => one.name === name);
  const [site, api, mailer] = [named("site"), named("api"), named("mailer")];
  expect(Object.fromEntries(api?.envVars ?? [])).toEqual({
    DATABASE_URL: render.state.postgres[0]?.connection.internalConnectionString,
    REDIS_URL: render.state.keyValues[0]?.connection.internalConnectionString,
    ALLOWED_ORIGIN: "https://site.onrender.com",
    LOG_LEVEL: "info",
  });
  expect(api).toMatchObject({ repo: repository, details: { region: "frankfurt", healthCheckPath: "/health" } });
  expect(site?.envVars.get("API_URL")).toBe("https://api.onrender.com");
  expect(site?.domains.map(({ name }) => name)).toContain("shop.example");
  expect(mailer?.envVars.get("API_HOST")).toBe("api:10000");
  expect(mailer?.details).toMatchObject({ disk: { sizeGB: 10 }, autoscaling: { enabled: true, max: 3 } });
  expect(render.state.groups[0]?.envVars.get("SALT")).toMatch(/.{20}/);
  // The deploy that counts is the one after everything was linked and set.
  for (const service of [site, api, mailer])
    expect(service?.deploys.map(({ status }) => status)).toEqual(["live", "deactivated"]);
  const writes = workshop.writes().length;
  expect(await workshop.apply()).toBeNull();
  expect(workshop.writes()).toHaveLength(writes);
});

test.concurrent("a change by hand is put back with the one request that it takes, and one deploy", async () => {
  await using workshop = await openWorkshop(shop);
  const { render } = workshop;
  await workshop.apply();
  const api = render.state.services.find(({ name }) => name === "api");
  api?.envVars.set("LOG_LEVEL", "debug").set("EXTRA", "kept");
  if (api) api.details.healthCheckPath = "/up";
  const before = workshop.writes().length;
  const apply = await workshop.apply();
  expect(apply?.steps.flatMap(({ step }) => step.changes)).toEqual([
    { field: "healthCheckPath", from: "/up", to: "/health" },
    { field: "envVars.LOG_LEVEL", from: "set", to: "changed" },
  ]);
  expect(workshop.writes().slice(before)).toEqual([
    `PATCH /services/${api?.id}`,
    `PUT /services/${api?.id}/env-vars/LOG_LEVEL`,
    `POST /services/${api?.id}/deploys`,
  ]);
  expect(api?.envVars.get("EXTRA")).toBe("kept");
});

test.concurrent("two at once: one of them is told that the other runs", async () => {
  await using workshop = await openWorkshop(shop);
  const draft = await workshop.draft();
  const plan = await workshop.planner.keep(draft, "user:ann");
  const wish = { actor: "user:ann", planId: plan.id, taskId: null, state: "running" as const };
  const [first, second] = await Promise.allSettled([
    workshop.applies.begin(draft, wish),
    workshop.applies.begin(draft, wish),
  ]);
  const refused = [first, second].filter(({ status }) => status === "rejected");
  expect(refused).toMatchObject([{ reason: { status: 409, code: "apply_in_progress" } }]);
});

test.concurrent("a plan is only good while nothing it saw has moved", async () => {
  await using workshop = await openWorkshop(shop);
  const signal = new AbortController().signal;
  const keep = async () => (await workshop.planner.keep(await workshop.draft(), "user:ann")).id;
  const first = await keep();
  expect((await workshop.planner.confirm(first, signal)).now.plan.steps).toHaveLength(12);
  workshop.render.control.addService({
    type: "web_service",
    name: "new",
    repo: repository,
    serviceDetails: { runtime: "docker" },
  });
  await expect(workshop.planner.confirm(first, signal)).rejects.toMatchObject({
    code: "plan_stale",
    details: [{ moved: ["others"] }],
  });
  const second = await keep();
  await workshop.write(shop.replace("value: info", "value: debug"));
  await expect(workshop.planner.confirm(second, signal)).rejects.toMatchObject({
    details: [{ moved: ["service/api"] }],
  });
  await workshop.write("services: [");
  await expect(workshop.planner.confirm(second, signal)).rejects.toMatchObject({ code: "plan_stale" });
  await expect(workshop.planner.confirm("0190c2a0-0000-7000-8000-000000000000", signal)).rejects.toMatchObject({
    code: "not_found",
  });
});

test.concurrent("a step that Render refuses stops what needs it and nothing else; applying again continues", async () => {
  await using workshop = await openWorkshop(shop);
  workshop.render.control.fail({ on: "create-postgres", kind: "status", status: 402, message: "add a card", times: 1 });
  const apply = await workshop.apply();
  expect(apply).toMatchObject({ state: "failed", error: expect.stringContaining("add a card") });
  expect(statesOf(apply?.steps ?? []).filter((one) => !one.endsWith(" done"))).toEqual([
    "create:database/db failed",
    "create:service/api skipped",
    "create:service/mailer skipped",
    "update:service/site:addresses skipped",
    "link:service/api:shared skipped",
    "link:service/mailer:shared skipped",
    "deploy:service/site skipped",
    "deploy:service/api skipped",
    "deploy:service/mailer skipped",
  ]);
  const again = await workshop.apply();
  expect(again?.state).toBe("done");
  expect(workshop.render.state.services.map(({ name }) => name).sort()).toEqual(["api", "mailer", "site"]);
  expect(await workshop.apply()).toBeNull();
});

test.concurrent("a request whose answer is lost is not sent twice", async () => {
  await using workshop = await openWorkshop(shop);
  const { control, state } = workshop.render;
  for (const on of [
    "create-service",
    "create-postgres",
    "create-deploy",
    "create-env-group",
    "link-service-to-env-group",
  ]) {
    control.fail({ on, kind: "lose_after", times: 1 });
  }
  const apply = await workshop.apply();
  expect(apply?.state).toBe("done");
  expect([state.services.length, state.postgres.length, state.groups.length]).toEqual([3, 1, 1]);
  for (const { deploys } of state.services) expect(deploys.length).toBe(2);
  expect(await workshop.apply()).toBeNull();
});

test.concurrent("databases and deploys that take their time are waited for", async () => {
  await using workshop = await openWorkshop(shop, { stageMs: 60 });
  const apply = await workshop.apply();
  expect(apply?.state).toBe("done");
  expect(apply?.steps.flatMap(({ note }) => note.deployStatus ?? [])).toContain("live");
  for (const { deploys } of workshop.render.state.services) expect(deploys[0]?.status).toBe("live");
});

test.concurrent("a deploy that fails fails the apply, and says which", async () => {
  await using workshop = await openWorkshop(shop);
  await workshop.apply();
  const site = workshop.render.state.services.find(({ name }) => name === "site");
  workshop.render.control.scriptBuild({ serviceId: String(site?.id), times: 1, status: "build_failed", log: [] });
  await workshop.write(shop.replace("npm ci && npm run build", "npm run all"));
  expect(await workshop.apply()).toMatchObject({
    state: "failed",
    error: expect.stringMatching(/deploy:service\/site .*build_failed/),
  });
});

test.concurrent("no value of a variable is in a plan, a ledger or a log of one", async () => {
  await using workshop = await openWorkshop(shop.replace("value: info", "value: hunter2-value"));
  const apply = await workshop.apply();
  const draft = await workshop.draft();
  const secrets = [
    "hunter2-value",
    String(workshop.render.state.groups[0]?.envVars.get("SALT")),
    String(workshop.render.state.postgres[0]?.connection.password),
  ];
  const { blueprint: _file, ...shown } = apply ?? { blueprint: "" };
  for (const secret of secrets) expect(JSON.stringify([shown, draft.plan, draft.seen])).not.toContain(secret);
});

/** What was sent, without the ids that differ from account to account. */
const shapeOf = (writes: string[]) =>
  writes.map((one) => one.replace(/(?:srv|evg|dpg|red|dsk)-[0-9a-z]+/g, "*")).sort();

test("killed after any of its requests, an apply is finished by somebody else, and no request is sent twice", async () => {
  await using whole = await openWorkshop(shop);
  await whole.apply();
  const wanted = shapeOf(whole.writes());
  const deploysOf = (workshop: typeof whole) =>
    workshop.render.state.services.map(({ name, deploys }) => `${name} ${deploys.length}`).sort();
  for (let dies = 1; dies <= wanted.length; dies++) {
    await using workshop = await openWorkshop(shop);
    let sent = 0;
    const dying = workshop.apply({
      onWrite: async () => {
        sent += 1;
        if (sent === dies) throw new Error("killed");
      },
    });
    await expect(dying).rejects.toThrow("killed");
    const id = (await workshop.store.findRunning(String(workshop.render.state.owners[0]?.id)))?.id ?? "";
    const finished = await workshop.another().run(id, { signal: new AbortController().signal });
    expect([dies, finished.state]).toEqual([dies, "done"]);
    expect([dies, shapeOf(workshop.writes())]).toEqual([dies, wanted]);
    expect([dies, deploysOf(workshop)]).toEqual([dies, deploysOf(whole)]);
    expect(await workshop.apply()).toBeNull();
  }
});

test.concurrent("killed while the ledger says nothing of a request yet: the same", async () => {
  await using workshop = await openWorkshop(shop);
  const noteWrite = workshop.store.noteWrite;
  let sent = 0;
  workshop.store.noteWrite = async (...about) => {
    sent += 1;
    if (sent % 3 === 0) throw new Error("killed");
    await noteWrite(...about);
  };
  await expect(workshop.apply()).rejects.toThrow("killed");
  const id = (await workshop.store.findRunning(String(workshop.render.state.owners[0]?.id)))?.id ?? "";
  const signal = new AbortController().signal;
  for (let tries = 0; tries < 30; tries++) {
    const end = await workshop
      .another()
      .run(id, { signal })
      .catch(() => null);
    if (end) break;
  }
  expect((await workshop.applies.find(id))?.state).toBe("done");
  for (const { deploys } of workshop.render.state.services) expect(deploys.length).toBe(2);
  expect([workshop.render.state.services.length, workshop.render.state.groups.length]).toEqual([3, 1]);
});

test.concurrent("two processes work on one apply: one does the work, the other waits for it", async () => {
  await using workshop = await openWorkshop(shop, { stageMs: 20 });
  const draft = await workshop.draft();
  const plan = await workshop.planner.keep(draft, "user:ann");
  const wish = { actor: "user:ann", planId: plan.id, taskId: null, state: "running" as const };
  const apply = await workshop.applies.begin(draft, wish);
  const signal = new AbortController().signal;
  const ends = await Promise.all([1, 2, 3].map(() => workshop.another().run(apply?.id ?? "", { signal })));
  expect(ends.map(({ state }) => state)).toEqual(["done", "done", "done"]);
  for (const { deploys } of workshop.render.state.services) expect(deploys.length).toBe(2);
});

test.concurrent("whoever has lost the lease writes nothing into the ledger any more", async () => {
  await using workshop = await openWorkshop(shop);
  let isFrozen = false;
  const frozen = Promise.withResolvers<void>();
  const waking = workshop.apply({
    onWrite: async () => {
      if (isFrozen) return;
      isFrozen = true;
      await frozen.promise;
    },
  });
  const account = String(workshop.render.state.owners[0]?.id);
  const id = await eventually(async () => (isFrozen ? (await workshop.store.findRunning(account))?.id : undefined), {
    what: "a frozen apply",
  });
  // As if its process had been stopped for longer than its lease.
  await workshop.age(id);
  const finished = await workshop.another().run(id, { signal: new AbortController().signal });
  expect(finished.state).toBe("done");
  frozen.resolve();
  expect(await waking).toMatchObject({ state: "done", steps: finished.steps });
  expect([workshop.render.state.services.length, workshop.render.state.groups.length]).toEqual([3, 1]);
});
