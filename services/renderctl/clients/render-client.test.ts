import { readRenderFacts } from "@signalbox/testing/render-stand-in/api-facts.ts";
import { buildDocumentJudge } from "@signalbox/testing/render-stand-in/document-judge.ts";
import { type RenderStandIn, startRenderStandIn } from "@signalbox/testing/render-stand-in/server.ts";
import { readVendorDocument } from "@signalbox/testing/vendor-document.ts";
import { expect, test } from "vitest";
import { RenderError } from "../render-error.ts";
import { operations } from "../render-operations.ts";
import type { NewService } from "../render-shapes.ts";
import type { RenderApi, RenderWrite } from "./render.ts";
import { buildRenderClient } from "./render-client.ts";

const ownerId = "tea-cjnxpkdhshc73d12t9i0";
const site: NewService = {
  ...{ type: "static_site", name: "site", ownerId, repo: "https://github.com/acme/web", branch: "main" },
  ...{ rootDir: "apps/site", autoDeployTrigger: "commit" },
  buildFilter: { paths: ["apps/site/**"], ignoredPaths: [] },
  envVars: [
    { key: "API_URL", value: "https://api.example.com" },
    { key: "SALT", generateValue: true },
  ],
  serviceDetails: {
    ...{ buildCommand: "npm ci", publishPath: "dist", renderSubdomainPolicy: "enabled" },
    previews: { generation: "off" },
    ipAllowList: [{ cidrBlock: "0.0.0.0/0", description: "everywhere" }],
    routes: [{ type: "rewrite", source: "/*", destination: "/index.html" }],
    headers: [{ path: "/*", name: "X-Frame-Options", value: "DENY" }],
  },
} as const;
const web: NewService = {
  ...{ type: "web_service", name: "api", ownerId, repo: "https://github.com/acme/api" },
  secretFiles: [{ name: "ca.pem", content: "-----BEGIN-----" }],
  serviceDetails: {
    ...{ runtime: "node", plan: "starter", region: "frankfurt", numInstances: 1, healthCheckPath: "/health" },
    ...{ preDeployCommand: "npm run migrate", maxShutdownDelaySeconds: 60 },
    envSpecificDetails: { buildCommand: "npm ci", startCommand: "npm start" },
    disk: { name: "data", mountPath: "/var/data", sizeGB: 10 },
    maintenanceMode: { enabled: false, uri: "" },
  },
};

async function start(options: Parameters<typeof startRenderStandIn>[0] = {}) {
  const standIn = await startRenderStandIn(options);
  const client = buildRenderClient({ baseUrl: standIn.apiUrl, token: standIn.token, timeoutMs: 2_000 });
  const writes: RenderWrite[] = [];
  const during = (more: { patienceMs?: number; signal?: AbortSignal } = {}) =>
    client.during({
      signal: AbortSignal.timeout(30_000),
      onWrite: async (write) => void writes.push(write),
      ...more,
    });
  return {
    ...standIn,
    api: during(),
    during,
    client,
    writes,
    async [Symbol.asyncDispose]() {
      await client.close();
      await standIn[Symbol.asyncDispose]();
    },
  };
}

/** Every call that there is, each at least once. */
async function callEverything(api: RenderApi, standIn: RenderStandIn): Promise<void> {
  await api.owners.list();
  expect(await api.owners.listAudit(ownerId)).toEqual([]);
  const [{ service }, { service: server }] = [await api.services.create(site), await api.services.create(web)];
  await useServices(api, service.id, server.id);
  await useEnv(api, service.id);
  standIn.control.set({ queueNext: 0 });
  await useDeploys(api, service.id);
  await useStores(api, standIn);
  await usePlaces(api, server.id);
  await api.services.remove(service.id);
}

async function useServices({ services }: RenderApi, siteId: string, serverId: string): Promise<void> {
  await services.list({ name: "site", type: "static_site", ownerId });
  await services.get(siteId);
  await services.update(siteId, {
    ...{ name: "renamed", repo: "https://github.com/acme/other", branch: "next", rootDir: "" },
    autoDeployTrigger: "checksPass",
    buildFilter: { paths: [], ignoredPaths: ["docs/**"] },
    serviceDetails: {
      buildCommand: "npm ci && npm run build",
      publishPath: "build",
      previews: { generation: "manual" },
    },
  });
  await services.update(serverId, {
    serviceDetails: {
      ...{ plan: "standard", runtime: "node", healthCheckPath: "/ready", preDeployCommand: "true" },
      envSpecificDetails: { startCommand: "node ." },
      maintenanceMode: { enabled: true, uri: "https://example.com" },
    },
  });
  await services.suspend(serverId);
  await services.resume(serverId);
  await services.scale(serverId, 2);
  const off = { enabled: false, percentage: 70 };
  await services.setAutoscaling(serverId, {
    enabled: true,
    min: 1,
    max: 3,
    criteria: { cpu: { ...off, enabled: true }, memory: off },
  });
  await services.removeAutoscaling(serverId);
  await services.replaceRoutes(siteId, [{ type: "redirect", source: "/a", destination: "/b" }]);
  expect(await services.listRoutes(siteId)).toMatchObject([{ source: "/a", priority: 0 }]);
  await services.replaceHeaders(siteId, []);
  expect(await services.listHeaders(siteId)).toEqual([]);
  await services.addDomain(siteId, "acme.dev");
  expect(await services.listDomains(siteId)).toHaveLength(2);
  await services.removeDomain(siteId, "acme.dev");
}

async function useEnv({ env }: RenderApi, id: string): Promise<void> {
  await env.replaceAll(id, [
    { key: "A", value: "1" },
    { key: "B", generateValue: true },
  ]);
  await env.set(id, "A", { value: "2" });
  await env.set(id, "C", { generateValue: true });
  expect((await env.list(id)).map(({ key }) => key)).toEqual(["A", "B", "C"]);
  expect(await env.find(id, "A")).toEqual({ key: "A", value: "2" });
  expect(await env.find(id, "Z")).toBeNull();
  await env.remove(id, "A");
  await env.remove(id, "A");
  await env.setFile(id, { name: "ca.pem", content: "x" });
  expect(await env.listFiles(id)).toEqual([{ name: "ca.pem", content: "x" }]);
  await env.removeFile(id, "ca.pem");
}

async function useDeploys({ deploys }: RenderApi, id: string): Promise<void> {
  const first = await deploys.create(id, { clearCache: "clear", commitId: "a".repeat(40) });
  await deploys.create(id, { deployMode: "deploy_only" });
  expect(await deploys.get(id, first?.id ?? "")).toMatchObject({ status: "deactivated", trigger: "api" });
  await deploys.rollback(id, first?.id ?? "");
  const page = await deploys.page(id, { limit: 2 });
  expect(page.items.map(({ trigger }) => trigger)).toEqual(["rollback", "api"]);
  expect((await deploys.page(id, { limit: 2, cursor: page.next ?? "" })).items).toHaveLength(2);
  await deploys.cancel(id, first?.id ?? "").catch(() => undefined);
  expect(await deploys.listEvents(id, { startTime: "2026-01-01T00:00:00Z" })).toContainEqual(
    expect.objectContaining({ type: "build_ended" }),
  );
  const logs = await deploys.readLogs({ ownerId, resource: id, type: "build", direction: "forward", limit: 100 });
  expect(logs.logs.length).toBeGreaterThan(3);
}

async function useStores({ stores, groups }: RenderApi, standIn: RenderStandIn): Promise<void> {
  const postgres = await stores.createPostgres({
    ...{
      name: "db",
      ownerId,
      plan: "basic_256mb",
      version: "17",
      region: "oregon",
      databaseName: "app",
      databaseUser: "app",
    },
    ...{ diskSizeGB: 15, enableHighAvailability: false, ipAllowList: [], readReplicas: [{ name: "copy" }] },
  });
  await stores.updatePostgres(postgres.id, { plan: "basic_1gb", diskSizeGB: 20, enableDiskAutoscaling: true });
  expect(await stores.getPostgres(postgres.id)).toMatchObject({ plan: "basic_1gb", diskAutoscalingEnabled: true });
  expect(await stores.listPostgres({ name: "db", ownerId })).toHaveLength(1);
  expect((await stores.connectPostgres(postgres.id)).internalConnectionString).toContain("postgresql://app:");
  const keyValue = await stores.createKeyValue({
    name: "cache",
    ownerId,
    plan: "starter",
    maxmemoryPolicy: "allkeys_lru",
  });
  await stores.updateKeyValue(keyValue.id, { persistenceMode: "snapshot", ipAllowList: [] });
  expect(await stores.getKeyValue(keyValue.id)).toMatchObject({ options: { persistenceMode: "snapshot" } });
  expect(await stores.listKeyValue({ name: "cache" })).toHaveLength(1);
  expect((await stores.connectKeyValue(keyValue.id)).internalConnectionString).toContain("redis://");
  const group = await groups.create({ name: "shared", ownerId, envVars: [{ key: "LEVEL", value: "info" }] });
  const serviceId = standIn.state.services[0]?.id ?? "";
  await groups.link(group.id, serviceId);
  await groups.setVar(group.id, "LEVEL", { value: "debug" });
  await groups.setFile(group.id, { name: "a", content: "b" });
  expect(await groups.get(group.id)).toMatchObject({
    envVars: [{ key: "LEVEL", value: "debug" }],
    serviceLinks: [{ id: serviceId }],
  });
  expect(await groups.list({ name: "shared" })).not.toContainEqual(
    expect.objectContaining({ envVars: expect.anything() }),
  );
  await groups.rename(group.id, "common");
  await groups.removeVar(group.id, "LEVEL");
  await groups.removeFile(group.id, "a");
  await groups.unlink(group.id, serviceId);
  await groups.remove(group.id);
}

async function usePlaces({ places }: RenderApi, serverId: string): Promise<void> {
  const [disk] = await places.listDisks({ serviceId: serverId });
  await places.updateDisk(disk?.id ?? "", { sizeGB: 20 });
  await expect(places.addDisk({ name: "x", sizeGB: 1, mountPath: "/x", serviceId: serverId })).rejects.toThrow(
    "already",
  );
  const project = await places.createProject({ name: "acme", ownerId, environments: [{ name: "production" }] });
  expect(await places.listProjects({ name: "acme", ownerId })).toHaveLength(1);
  const staging = await places.createEnvironment({
    name: "staging",
    projectId: project.id,
    protectedStatus: "protected",
  });
  await places.updateEnvironment(staging.id, { networkIsolationEnabled: true });
  await places.addToEnvironment(staging.id, [serverId]);
  expect(await places.listEnvironments(project.id)).toMatchObject([{ serviceIds: [serverId] }, { name: "production" }]);
  expect(await places.listRegistryCredentials({ name: "hub" })).toEqual([]);
}

const document = readVendorDocument("renderApi");

test("every call that can be made is one of Render's, and passes as strict a Render as there is", async () => {
  await using render = await start({ hasLimits: false });
  await callEverything(render.api, render);
  const made = new Set(render.state.requests.map(({ operation }) => operation));
  expect(Object.keys(operations).filter((name) => !made.has(name))).toEqual([]);
  const refused = render.state.requests.filter(({ status }) => status === 400 && status !== null);
  expect(refused.map(({ operation }) => operation)).toEqual(["cancel-deploy", "add-disk"]);
  const { operations: known } = readRenderFacts();
  for (const [name, call] of Object.entries(operations)) expect(known[name]?.call).toBe(call);
});

test.runIf(document)("every request that was made is valid by Render's own document (RENDER_OPENAPI)", async () => {
  await using render = await start({ hasLimits: false });
  await callEverything(render.api, render);
  const judge = buildDocumentJudge(document ?? {});
  const wrong = render.state.requests.flatMap((call) =>
    judge(call).map(({ path, message }) => `${call.operation}${path} ${message}`),
  );
  expect(render.state.requests.length).toBeGreaterThan(60);
  expect(wrong).toEqual([]);
});

test("a list is read to its end, page by page", async () => {
  await using render = await start();
  const { id } = render.control.addService(site as never);
  for (let at = 0; at < 230; at++) render.state.services[0]?.envVars.set(`KEY_${at}`, "x");
  expect(await render.api.env.list(id)).toHaveLength(232);
  expect(render.state.requests.map(({ query }) => query.limit)).toEqual(["100", "100", "100"]);
});

test("a list whose cursor comes again is not read for ever", async () => {
  await using render = await start();
  const { id } = render.control.addService(site as never);
  for (let at = 0; at < 100; at++)
    render.state.services[0]?.routes.push({
      ...{ id: "same", type: "rewrite", source: "/", destination: "/" },
      priority: 1,
    });
  expect((await render.api.services.listRoutes(id)).length).toBeLessThan(400);
});

test.each([429, 500, 502, 503, 504])("a read that is answered %i is made again", async (status) => {
  await using render = await start();
  render.control.fail({ on: "list-services", kind: "status", status, times: 2, headers: { "retry-after": "0" } });
  expect(await render.api.services.list()).toEqual([]);
  expect(render.state.requests.map((request) => request.status)).toEqual([status, status, 200]);
});

test("a lost connection is tried again for a read and for a write that says what shall be", async () => {
  await using render = await start();
  const { id } = render.control.addService(site as never);
  render.control.fail({ on: "list-services", kind: "lose", times: 1 });
  render.control.fail({ on: "update-env-var", kind: "lose_after", times: 1 });
  expect(await render.api.services.list()).toHaveLength(1);
  await render.api.env.set(id, "A", { value: "1" });
  expect(render.writes).toHaveLength(1);
});

test.each([
  ["lose_after" as const, null],
  ["status_after" as const, 500],
])("a POST that makes something is never repeated after %s, and said to be uncertain", async (kind, status) => {
  await using render = await start();
  render.control.fail({ on: "create-service", kind, status: 500, times: 1 });
  const error = await render.api.services.create(site).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RenderError);
  expect(error).toMatchObject({ status, mayHaveLanded: true, retryable: true });
  expect(render.state.services).toHaveLength(1);
  expect(render.writes).toEqual([{ operation: "create-service", method: "POST", path: "/services", status }]);
});

test("a POST that was refused for its rate is made again, because it was not carried out", async () => {
  await using render = await start();
  render.control.fail({ on: "create-service", kind: "status", status: 429, times: 1, headers: { "retry-after": "0" } });
  await render.api.services.create(site);
  expect(render.state.services).toHaveLength(1);
});

test.each([400, 401, 402, 403, 404, 406, 409, 410])("%i is final, with Render's own message", async (status) => {
  await using render = await start();
  render.control.fail({ on: "create-service", kind: "status", status, message: "no such plan", times: 9 });
  const error = await render.api.services.create(site).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ status, retryable: false, mayHaveLanded: false });
  expect(String(error)).toContain("no such plan");
  expect(render.state.requests).toHaveLength(1);
  expect(render.writes).toEqual([]);
});

test("no error holds the token or a value that was sent, whatever Render says", async () => {
  await using render = await start();
  const { id } = render.control.addService(site as never);
  const secrets = ["s3cret-of-mine-77", "abc", "line one\nline two"];
  for (const value of secrets) {
    const message = `value ${value} of KEY is refused; token ${render.token}; postgres://u:hunter22@db/x`;
    render.control.fail({ on: "update-env-var", kind: "status", status: 400, message, times: 1 });
    const error = (await render.api.env.set(id, "KEY", { value }).catch((caught: unknown) => caught)) as Error;
    const said = [error.message, error.stack, JSON.stringify(error)].join("\n");
    for (const secret of [value, render.token, "hunter22"]) expect(said).not.toContain(secret);
    expect(error.message).toContain("KEY is refused");
  }
});

test("a spent limit makes calls wait, and one that would wait too long fails as something for later", async () => {
  await using render = await start();
  const { id } = render.control.addService(site as never);
  for (let at = 0; at < 9; at++) await render.during({ patienceMs: 0 }).deploys.create(id);
  const startedAt = performance.now();
  const error = await render
    .during({ patienceMs: 50 })
    .deploys.create(id)
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ status: 429, retryable: true });
  expect((error as RenderError).retryAfterMs).toBeGreaterThan(1_000);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(render.state.requests.filter(({ status }) => status === 429)).toEqual([]);
});

test("an API that speaks of no limits is not held to Render's; its 429 is", async () => {
  await using render = await start({ hasLimits: false });
  const { id } = render.control.addService(site as never);
  const api = render.during({ patienceMs: 50 });
  for (let at = 0; at < 40; at++) await api.env.set(id, `KEY_${at}`, { value: "1" });
  render.control.fail({ on: "PUT", kind: "status", status: 429, times: 1, headers: { "retry-after": "60" } });
  const refused = () => api.env.set(id, "ONE_MORE", { value: "1" }).catch((caught: unknown) => caught);
  expect(await refused()).toMatchObject({ status: 429 });
  const asked = render.state.requests.length;
  expect(await refused()).toMatchObject({ status: 429, retryable: true });
  expect(render.state.requests).toHaveLength(asked);
});

test("somebody else who spends the account's limit is noticed by the headers before it hurts", async () => {
  await using render = await start();
  const { id } = render.control.addService(site as never);
  render.state.spending.set("writes", { used: 99, fromMs: Date.now() });
  await render.api.env.set(id, "A", { value: "1" });
  const error = await render
    .during({ patienceMs: 50 })
    .env.set(id, "B", { value: "1" })
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ status: 429, retryable: true });
  expect(render.state.requests).toHaveLength(1);
});

test("writes to one service stand in line; other services go on", async () => {
  await using render = await start();
  const [first, second] = [
    render.control.addService(site as never),
    render.control.addService({ ...site, name: "other" } as never),
  ];
  const otherIsThrough = Promise.withResolvers<void>();
  render.control.fail({ path: first.id, kind: "slow", until: otherIsThrough.promise, times: 1 });
  const order: string[] = [];
  const set = async (id: string, key: string) => {
    await render.api.env.set(id, key, { value: "1" });
    order.push(key);
  };
  const inLine = [set(first.id, "A"), set(first.id, "B")];
  await set(second.id, "C");
  otherIsThrough.resolve();
  await Promise.all(inLine);
  expect(order).toEqual(["C", "A", "B"]);
  expect(render.state.requests.map(({ path }) => path.split("/").at(-1))).toEqual(["A", "C", "B"]);
});

test("an answer that never ends is given up in time, an aborted call at once, and rubbish is an error", async () => {
  await using render = await start();
  render.control.fail({ on: "retrieve-service", kind: "slow", until: new Promise(() => undefined), times: 9 });
  const stop = new AbortController();
  const call = expect(render.during({ signal: stop.signal }).services.get("srv-1")).rejects.toThrow("enough");
  stop.abort(new Error("enough"));
  await call;
  render.control.fail({ on: "list-owners", kind: "rubbish", times: 1 });
  await expect(render.api.owners.list()).rejects.toThrow("not JSON");
});

test("a path segment is one segment whatever is in it", async () => {
  await using render = await start();
  await expect(render.api.services.get("..")).rejects.toThrow(RangeError);
  await expect(render.api.services.get("a/b?c#d")).rejects.toThrow("404");
  expect(render.state.requests.map(({ path }) => path)).toEqual(["/services/a%2Fb%3Fc%23d"]);
});
