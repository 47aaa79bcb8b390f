import { expect, test } from "vitest";
import { readVendorDocument } from "../vendor-document.ts";
import { readRenderFacts } from "./api-facts.ts";
import { toApiFacts } from "./openapi-facts.ts";
import { handlers, startRenderStandIn } from "./server.ts";

const document = readVendorDocument("renderApi");
const facts = readRenderFacts();

test.runIf(document)("what is committed of Render's document is what it says (RENDER_OPENAPI)", () => {
  expect(facts).toEqual(toApiFacts(document ?? {}, Object.keys(facts.operations)));
  expect(Object.keys(facts.operations).length).toBeGreaterThan(60);
});

test("it answers every operation that is committed, but the validation of files", () => {
  const known = Object.keys(facts.operations).filter((id) => id !== "validate-blueprint");
  expect(Object.keys(handlers).sort()).toEqual(known.sort());
});

type Init = { method?: string; body?: unknown; token?: string };

async function start(options: Parameters<typeof startRenderStandIn>[0] = {}) {
  const standIn = await startRenderStandIn(options);
  return Object.assign(standIn, {
    async call(path: string, { method = "GET", body, token = standIn.token }: Init = {}) {
      const response = await fetch(standIn.apiUrl + path, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
    },
  });
}

const site = {
  type: "static_site",
  name: "site",
  ownerId: "tea-cjnxpkdhshc73d12t9i0",
  repo: "https://github.com/acme/web",
  rootDir: "apps/site",
  serviceDetails: { buildCommand: "npm ci && npm run build", publishPath: "dist" },
};

test("a wrong token is 401, an unknown call 404, in the shape of Render's errors", async () => {
  await using render = await start();
  expect(await render.call("/services", { token: "wrong" })).toMatchObject({
    status: 401,
    body: { message: "Unauthorized" },
  });
  expect(await render.call("/nothing")).toMatchObject({ status: 404, body: { id: expect.stringMatching(/^err-/) } });
});

test.each([
  ["a member that Render does not know", { ...site, colour: "red" }, "/colour is not a known member"],
  [
    "a static site with a plan",
    { ...site, serviceDetails: { ...site.serviceDetails, plan: "starter" } },
    "/serviceDetails/plan",
  ],
  ["a type that does not exist", { ...site, type: "website" }, "/type must be one of"],
  ["no owner", { ...site, ownerId: undefined }, "/ownerId is required"],
  [
    "a worker on a free plan",
    { ...site, type: "background_worker", serviceDetails: { runtime: "node", plan: "free" } },
    "/serviceDetails/plan",
  ],
])("%s is refused", async (_what, body, message) => {
  await using render = await start();
  const reply = await render.call("/services", { method: "POST", body });
  expect(reply).toMatchObject({ status: 400, body: { message: expect.stringContaining(message) } });
  expect(render.control.writes()).toEqual([]);
});

test.each(["limit=0", "limit=101", "limit=x", "cursor=nonsense", "colour=red"])("?%s is refused", async (query) => {
  await using render = await start();
  expect((await render.call(`/services?${query}`)).status).toBe(400);
});

test("a build succeeds or fails by what lies in the repository, and says so in Render's words", async () => {
  await using render = await start({ hasLimits: false });
  render.control.setRepo({
    url: site.repo,
    folders: { "": { has: ["README.md"] }, "apps/site": { has: ["package.json", "src"], output: "dist" } },
  });
  const { body } = await render.call("/services", { method: "POST", body: site });
  const path = `/services/${body.service.id}`;
  const build = async (patch: object) => {
    await render.call(path, { method: "PATCH", body: patch });
    const deploy = await render.call(`${path}/deploys`, { method: "POST", body: {} });
    const { status } = (await render.call(`${path}/deploys/${deploy.body.id}`)).body;
    const logs = await render.call(
      `/logs?ownerId=${site.ownerId}&resource=${body.service.id}&type=build&direction=backward&limit=3`,
    );
    return { status, said: logs.body.logs.map((line: { message: string }) => line.message).join("\n") };
  };
  expect(await build({})).toMatchObject({ status: "live", said: expect.stringContaining("==> Your site is live") });
  expect(await build({ serviceDetails: { publishPath: "build" } })).toEqual({
    status: "build_failed",
    said: expect.stringContaining("==> Publish directory build does not exist!"),
  });
  expect(await build({ serviceDetails: { publishPath: "dist", buildCommand: "" } })).toMatchObject({
    status: "build_failed",
    said: expect.stringContaining("==> Empty build command; skipping build"),
  });
  expect(await build({ rootDir: "apps/sit", serviceDetails: { buildCommand: "npm run build" } })).toMatchObject({
    status: "build_failed",
    said: expect.stringContaining('==> Root directory "apps/sit" does not exist.'),
  });
  expect(await build({ rootDir: "" })).toMatchObject({
    status: "build_failed",
    said: expect.stringContaining("Could not read package.json"),
  });
  expect(await build({ rootDir: "apps/site" })).toMatchObject({ status: "live" });
  const { deploys } = render.state.services[0] ?? { deploys: [] };
  expect(deploys.map(({ status }) => status)).toEqual([
    ...["live", "build_failed", "build_failed", "build_failed", "build_failed", "deactivated", "deactivated"],
  ]);
});

test("deploys take their time, and a later one ends an earlier", async () => {
  await using render = await start({ stageMs: 60_000 });
  const service = render.control.addService(site);
  const path = `/services/${service.id}/deploys`;
  const first = (await render.call(path, { method: "POST", body: {} })).body;
  const status = async (id: string) => (await render.call(`${path}/${id}`)).body.status;
  expect(first.status).toBe("created");
  render.control.set({ advanceMs: 60_000 });
  expect(await status(first.id)).toBe("build_in_progress");
  const second = (await render.call(path, { method: "POST", body: {} })).body;
  expect(await status(first.id)).toBe("canceled");
  render.control.set({ advanceMs: 120_000 });
  expect(await status(second.id)).toBe("update_in_progress");
  render.control.set({ advanceMs: 60_000 });
  expect(await status(second.id)).toBe("live");
});

test("limits are told in headers, and beyond them is 429 until the window ends", async () => {
  await using render = await start();
  const service = render.control.addService(site);
  const deploy = () => render.call(`/services/${service.id}/deploys`, { method: "POST", body: {} });
  const first = await deploy();
  expect(Object.fromEntries(first.headers)).toMatchObject({ "ratelimit-limit": "10", "ratelimit-remaining": "9" });
  for (let at = 1; at < 10; at++) expect((await deploy()).status).toBe(201);
  const refused = await deploy();
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(50);
  render.control.set({ advanceMs: 61_000 });
  expect((await deploy()).status).toBe(201);
});

test("databases are made in time, with a suffix to their names and nothing for an empty list", async () => {
  await using render = await start({ stageMs: 60_000 });
  const body = { name: "db", ownerId: site.ownerId, plan: "basic_256mb", version: "17", databaseName: "app" };
  const made = (await render.call("/postgres", { method: "POST", body })).body;
  expect(made).toMatchObject({
    status: "creating",
    databaseName: expect.stringMatching(/^app_\w{4}$/),
    databaseUser: "app_user",
    ipAllowList: null,
  });
  expect((await render.call(`/postgres/${made.id}/connection-info`)).status).toBe(400);
  render.control.set({ advanceMs: 60_000 });
  const { internalConnectionString } = (await render.call(`/postgres/${made.id}/connection-info`)).body;
  expect(internalConnectionString).toMatch(new RegExp(`@${made.id}/${made.databaseName}$`));
  expect((await render.call("/postgres", { method: "POST", body: { ...body, plan: "starter" } })).status).toBe(400);
});

test("an apex domain brings a companion, an image its full name, a filter goes when both lists are null", async () => {
  await using render = await start();
  const { id } = render.control.addService({ ...site, buildFilter: { paths: ["a"], ignoredPaths: [] } });
  const domains = await render.call(`/services/${id}/custom-domains`, { method: "POST", body: { name: "acme.dev" } });
  expect(domains.body).toMatchObject([
    { name: "acme.dev", redirectForName: "" },
    { name: "www.acme.dev", redirectForName: "acme.dev" },
  ]);
  const buildFilter = { paths: null, ignoredPaths: null };
  const patched = await render.call(`/services/${id}`, { method: "PATCH", body: { buildFilter } });
  expect(patched.body.buildFilter).toBeNull();
  const image = render.control.addService({
    ...{ type: "web_service", name: "proxy", image: { ownerId: site.ownerId, imagePath: "nginx" } },
    serviceDetails: { runtime: "image", preDeployCommand: "nginx -t" },
  });
  const { imagePath, serviceDetails } = (await render.call(`/services/${image.id}`)).body;
  expect(imagePath).toBe("docker.io/library/nginx:latest");
  expect(serviceDetails.envSpecificDetails).toMatchObject({ preDeployCommand: "nginx -t" });
});

test("it misbehaves as often as it was told to, and is steered over HTTP as well", async () => {
  await using render = await start();
  const control = (path: string, method: string, body?: unknown) =>
    fetch(`${render.url}/__control${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  await control("/faults", "POST", { on: "list-services", kind: "status", status: 503, times: 1, skip: 1 });
  const statuses = [];
  for (let at = 0; at < 3; at++) statuses.push((await render.call("/services")).status);
  expect(statuses).toEqual([200, 503, 200]);
  await control("/faults", "POST", { on: "create-service", kind: "lose_after", times: 1 });
  await expect(render.call("/services", { method: "POST", body: site })).rejects.toThrow();
  expect((await render.call("/services")).body).toHaveLength(1);
  expect(await (await control("/requests", "GET")).json()).toMatchObject({ items: expect.any(Array) });
  expect((await control("/unknown", "GET")).status).toBe(404);
  expect(await (await control("/pushes", "POST", { repo: site.repo })).json()).toEqual({ deployed: 1 });
  await control("/reset", "POST", {});
  expect((await render.call("/services")).body).toEqual([]);
});
