import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";
import { repository, shop } from "./blueprints.fixture.ts";
import { startRenderctl } from "./renderctl.fixture.ts";

const basic = `Basic ${Buffer.from("operator:a-test-password").toString("base64")}`;
const canary = (name: string) => `canary-${name}-5b1f09c7e2`;

/** The same service as a process of its own, that says all it has to say. */
async function startLoud({ database, orchestrator, render }: Awaited<ReturnType<typeof startRenderctl>>) {
  const env = {
    ...{ BASIC_AUTH_USER: "operator", BASIC_AUTH_PASS: "a-test-password", INTERNAL_KEY: "test-internal-key" },
    ...{ DATABASE_URL: database.url, ORCHESTRATOR_URL: orchestrator.url, LOGGING_URL: "http://127.0.0.1:9" },
    ...{
      RENDER_API_TOKEN: render.token,
      RENDER_API_BASE_URL: render.apiUrl,
      RENDER_REPO: repository,
      LOG_LEVEL: "trace",
    },
    RENDER_MONITOR_SERVICES: "site",
  };
  const service = await startService({ main: "services/renderctl/main.ts", env });
  const answers: string[] = [];
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(service.url + path, {
      method,
      headers: { authorization: basic, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    answers.push(text);
    return JSON.parse(text);
  };
  return { service, answers, call };
}

test("no value of a variable is in any answer, log line, event, plan or row, whatever is asked of renderctl", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-secrets-"));
  const blueprintPath = join(folder, "render.yaml");
  await using renderctl = await startRenderctl({ render: { hasLimits: false }, env: { RENDER_REPO: repository } });
  const { render, database, onOrchestrator } = renderctl;
  await renderctl.stop(renderctl.app);
  const { service, answers, call } = await startLoud(renderctl);
  const ended = (id: string) =>
    eventually(async () => ["completed", "failed"].includes((await renderctl.task(id)).status), { what: `task ${id}` });
  try {
    await writeFile(blueprintPath, shop);
    await eventually(async () => (await onOrchestrator("/agents")).text.includes(service.url), { what: "the agent" });
    const plan = await call("POST", "/render/blueprint/apply", { dryRun: true, blueprintPath });
    const { taskId, applyId } = await call("POST", "/render/blueprint/apply", { planId: plan.planId });
    await ended(taskId);
    const api = render.state.services.find(({ name }) => name === "api");
    if (!api) throw new Error("no api");
    // By hand, by renderctl, refused by a Render that repeats it, and one whose deploy fails.
    api.envVars.set("STRIPE_KEY", canary("hand")).set("LOG_LEVEL", canary("changed")).set("EXTRA", canary("extra"));
    await call("PATCH", `/render/services/${api.id}/env`, { env: { PATCHED: canary("patched") } });
    const message = `no such value: ${canary("refused")}`;
    render.control.fail({ on: "update-env-var", kind: "status", status: 400, message, times: 1 });
    await call("PATCH", `/render/services/${api.id}/env`, { env: { REFUSED: canary("refused") } });
    render.control.scriptBuild({ serviceId: api.id, times: 1, status: "build_failed", log: [] });
    const failing = await call("PATCH", `/render/services/${api.id}/env`, { env: { B: canary("b") }, deploy: true });
    await ended(failing.taskId);
    const made = {
      name: "fresh",
      type: "web_service",
      repo: repository,
      runtime: "docker",
      env: { C: canary("made") },
    };
    await call("POST", "/render/services", made);
    const again = await call("POST", "/render/blueprint/apply", { dryRun: true, blueprintPath });
    expect(JSON.stringify(again.steps)).toContain("envVars.LOG_LEVEL");
    for (const path of ["/render/services", `/render/services/${api.id}/env`, `/render/services/${api.id}/deploys`]) {
      await call("GET", path);
    }
    for (const path of [`/render/applies/${applyId}`, "/render/drift", "/render/repairs"]) await call("GET", path);
    for (const path of ["/render/drift/adopt", "/render/drift/revert"]) await call("POST", path, {});
    answers.push((await onOrchestrator("/tasks?limit=200")).text);
    const tables = await database.pool.query("select tablename from pg_tables where schemaname = 'public'");
    const rows = await Promise.all(
      tables.rows.map(async ({ tablename }: { tablename: string }) =>
        JSON.stringify((await database.pool.query(`select to_jsonb(t) - 'blueprint' as row from ${tablename} t`)).rows),
      ),
    );
    await service.stop();
    const secrets = [
      ...["hand", "changed", "extra", "patched", "refused", "b", "made"].map(canary),
      String(render.state.groups[0]?.envVars.get("SALT")),
      String(render.state.postgres[0]?.connection.password),
      render.token,
    ];
    const texts = { answers: answers.join("\n"), output: service.output(), rows: rows.join("\n") };
    expect(texts.output.length).toBeGreaterThan(1_000);
    for (const [where, text] of Object.entries(texts)) {
      expect([where, secrets.filter((secret) => text.includes(secret))]).toEqual([where, []]);
    }
  } finally {
    await service.stop();
    await rm(folder, { recursive: true });
  }
}, 120_000);
