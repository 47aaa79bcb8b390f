import type { Agent } from "@signalbox/common/contracts/agent.ts";
import { expect, test } from "vitest";
import { type Items, ownerId, type Renderctl, sideEffects, site, startRenderctl } from "./renderctl.fixture.ts";

const wish = {
  ...{ name: "web", type: "static_site", repo: "https://github.com/acme/web", branch: "main", rootDir: "apps/site" },
  ...{ buildCommand: "npm ci && npm run build", publishPath: "dist", env: { API_URL: "s3cret-value", RETRIES: 3 } },
};
const create = (box: Renderctl, body: object, as: "person" | "service" = "person") =>
  box.call("/render/services", { method: "POST", body, as });

test("a service is made from a repository, with its variables, and deploys on every push", async () => {
  await using box = await startRenderctl();
  const reply = await create(box, wish);
  const [service] = box.render.state.services;
  expect(reply).toMatchObject({
    status: 201,
    body: {
      id: service?.id,
      name: "web",
      type: "static_site",
      url: "https://web.onrender.com",
      deployId: service?.deploys[0]?.id,
    },
  });
  expect(service).toMatchObject({
    ...{ repo: wish.repo, branch: "main", rootDir: "apps/site", autoDeployTrigger: "commit", ownerId },
    details: { buildCommand: wish.buildCommand, publishPath: "dist" },
  });
  expect(Object.fromEntries(service?.envVars ?? [])).toEqual({ API_URL: "s3cret-value", RETRIES: "3" });
  expect(reply.text).not.toContain("s3cret-value");
  const task = await box.task(reply.body.taskId);
  expect(task.payload).toMatchObject({ env: { API_URL: "[redacted]", RETRIES: "[redacted]" } });
  expect(sideEffects(task)).toEqual(["POST create-service"]);
  expect(box.render.control.push(wish.repo)).toBe(1);
});

test.each([
  [
    "node",
    { runtime: "node", buildCommand: "npm ci", startCommand: "npm start" },
    { plan: "starter", region: "oregon", runtime: "node" },
  ],
  ["docker", { runtime: "docker", plan: "standard", region: "frankfurt" }, { plan: "standard", region: "frankfurt" }],
])(
  "a server of %s says what Render would else choose, and does not deploy by itself when told so",
  async (_what, more, details) => {
    await using box = await startRenderctl();
    const body = { name: "api", type: "web_service", repo: wish.repo, autoDeploy: false, ...more };
    expect((await create(box, body)).status).toBe(201);
    expect(box.render.state.services[0]).toMatchObject({ autoDeployTrigger: "off", details });
  },
);

test("the same name and type is 409 with the id; another type of that name is not", async () => {
  await using box = await startRenderctl();
  const first = await create(box, wish);
  const again = await create(box, wish);
  expect(again).toMatchObject({ status: 409, body: { error: { code: "already_exists" } } });
  expect(again.body.error.details).toContainEqual(expect.objectContaining({ id: first.body.id }));
  const server = { name: "web", type: "web_service", repo: wish.repo, runtime: "docker" };
  expect((await create(box, server)).status).toBe(201);
});

test("after a lost answer the service is there once, and the call has it", async () => {
  await using box = await startRenderctl();
  box.render.control.fail({ on: "create-service", kind: "lose_after", times: 1 });
  const reply = await create(box, wish);
  expect(reply).toMatchObject({ status: 201, body: { id: box.render.state.services[0]?.id } });
  expect(box.render.state.services).toHaveLength(1);
  expect(await box.task(reply.body.taskId)).toMatchObject({ status: "completed", attempt: 2 });
});

const badWishes: [object, string][] = [
  [{ name: "x", type: "static_site" }, "/repo"],
  [{ ...wish, plan: "starter" }, "/plan"],
  [{ ...wish, type: "web_service", publishPath: undefined }, "/runtime"],
  [{ name: "x", type: "web_service" }, "/repo"],
  [{ name: "x", type: "web_service", repo: "r", runtime: "node", buildCommand: "b" }, "/startCommand"],
  [{ name: "x", type: "cron_job", repo: "r", runtime: "docker" }, "/schedule"],
  [{ ...wish, type: "website" }, "/type"],
  [{ ...wish, colour: "red" }, "/colour"],
];

test("what Render would refuse is refused before anything is asked of it, with its path", async () => {
  await using box = await startRenderctl();
  for (const [body, path] of badWishes) {
    const reply = await create(box, body);
    expect(reply.status).toBe(400);
    expect(reply.body.error.details.map((detail: { path: string }) => detail.path)).toContain(path);
  }
  expect(box.render.state.requests).toEqual([]);
});

test("of several workspaces one must be named, and the setting or the body names it", async () => {
  await using box = await startRenderctl();
  const other = box.render.control.addOwner("Other");
  const unclear = await create(box, wish);
  expect(unclear).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining("RENDER_OWNER_ID") } },
  });
  expect(unclear.text).toContain(other);
  expect((await create(box, { ...wish, ownerId: other })).body.ownerId).toBe(other);
});

test("a workspace that the token sees only later counts as well", async () => {
  await using box = await startRenderctl();
  expect((await create(box, wish)).status).toBe(201);
  box.render.control.addOwner("Other");
  expect((await create(box, { ...wish, name: "shop-2" })).status).toBe(400);
});

test("a wish of a name and a type is enough where the fleet's repository is known: a server is built by its Dockerfile", async () => {
  const repo = "https://github.com/acme/fleet";
  await using box = await startRenderctl({ env: { RENDER_REPO: repo } });
  for (const type of ["web_service", "static_site"])
    expect((await create(box, { name: "bare", type })).status).toBe(201);
  const [page, server] = box.render.state.services;
  expect([server?.repo, page?.repo]).toEqual([repo, repo]);
  expect(server?.details).toMatchObject({ runtime: "docker" });
});

test("RENDER_OWNER_ID settles it", async () => {
  await using box = await startRenderctl({ env: { RENDER_OWNER_ID: ownerId } });
  box.render.control.addOwner("Other");
  expect((await create(box, wish)).body.ownerId).toBe(ownerId);
});

test("the list shows status and last deploy, filters by exact name and by type, and goes on by its cursor", async () => {
  await using box = await startRenderctl({ env: { RENDER_MONITOR_SERVICES: "site-1, srv-unknown" } });
  for (let at = 0; at < 5; at++) box.render.control.addService({ ...site, name: `site-${at}` });
  const [, , , first] = box.render.state.services;
  if (!first) throw new Error("no service");
  first.isSuspended = true;
  box.render.control.deploy(first);
  const names = (items: { name: string }[]) => items.map(({ name }) => name);
  const seen: string[] = [];
  for (let cursor = ""; ; ) {
    const { body } = await box.call<Items<{ name: string }>>(
      `/render/services?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`,
    );
    seen.push(...names(body.items));
    if (body.nextCursor === null) break;
    cursor = body.nextCursor;
  }
  expect([...seen].sort()).toEqual(["site-0", "site-1", "site-2", "site-3", "site-4"]);
  const one = await box.call<Items<unknown>>("/render/services?name=site-1&type=static_site");
  expect(one.body.items).toMatchObject([
    {
      id: first.id,
      url: "https://site-1.onrender.com",
      suspended: true,
      monitored: true,
      lastDeploy: { status: "live" },
    },
  ]);
  expect((await box.call<Items<unknown>>("/render/services?name=site")).body.items).toEqual([]);
  expect((await box.call<Items<unknown>>("/render/services?type=web_service")).body.items).toEqual([]);
});

test("a bad filter or cursor is 400", async () => {
  await using box = await startRenderctl();
  for (const query of ["limit=0", "limit=101", "cursor=nonsense", "type=website", "colour=red"]) {
    expect([query, (await box.call(`/render/services?${query}`)).status]).toEqual([query, 400]);
  }
  const [one, other] = ["one", "other"].map((name) => box.render.control.addService({ ...site, name }));
  if (!one || !other) throw new Error("no services");
  for (const _ of [1, 2]) box.render.control.deploy(one);
  const page = await box.call<Items<unknown>>(`/render/services/${one.id}/deploys?limit=1`);
  const follow = (id: string, cursor: string | null) => box.call(`/render/services/${id}/deploys?cursor=${cursor}`);
  expect((await follow(one.id, page.body.nextCursor)).status).toBe(200);
  const altered = Buffer.from(`${one.id} nowhere`).toString("base64url");
  expect((await follow(one.id, "nonsense")).status).toBe(400);
  expect((await follow(one.id, altered)).status).toBe(400);
  expect((await follow(other.id, page.body.nextCursor)).status).toBe(400);
});

test("a wrong token is said, and shown nowhere", async () => {
  await using box = await startRenderctl({ env: { RENDER_API_TOKEN: "rnd_wrongTokenOfTheTest" } });
  const reply = await box.call("/render/services");
  expect(reply).toMatchObject({
    status: 422,
    body: { error: { code: "render_refused", message: expect.stringContaining("401") } },
  });
  const report = await box.call("/config/validate");
  for (const text of [reply.text, report.text]) expect(text).not.toContain("rnd_wrongTokenOfTheTest");
});

test("Basic auth is needed besides the token", async () => {
  await using box = await startRenderctl();
  expect((await box.call("/render/services", { as: "nobody" })).status).toBe(401);
});

test("every type that changes the account is registered as one that waits for approval", async () => {
  await using box = await startRenderctl();
  const { items } = (await box.onOrchestrator<Items<Agent>>("/agents")).body;
  const types = items.find(({ name }) => name === "renderctl")?.types ?? [];
  const approvals = Object.fromEntries(types.map(({ type, approval }) => [type, approval]));
  for (const type of ["render.deploy", "render.env", "render.rollback", "render.blueprint.apply"]) {
    expect(approvals[type]).toBe("required");
  }
  // Listing a service in RENDER_MONITOR_SERVICES is the consent to its repairs.
  const free = Object.keys(approvals).filter((type) => approvals[type] !== "required");
  expect(free).toEqual(["renderctl.repair"]);
});
