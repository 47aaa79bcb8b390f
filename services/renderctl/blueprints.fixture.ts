import { createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildLog } from "@signalbox/common/log.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { type RenderStandIn, startRenderStandIn } from "@signalbox/testing/render-stand-in/server.ts";
import type { Apply } from "./blueprint-ledger.ts";
import { buildRenderClient } from "./clients/render-client.ts";
import { type Applies, buildApplies } from "./loops/applies.ts";
import type { Times, Watcher } from "./loops/apply-run.ts";
import { buildPlanner, type Draft, type Planner } from "./loops/planner.ts";
import { type BlueprintStore, buildBlueprintStore } from "./store/blueprints.ts";

export const repository = "https://github.com/acme/shop";
const hash = (value: string) => createHmac("sha256", "a key of tests").update(value).digest("base64url");

export type Workshop = AsyncDisposable & {
  render: RenderStandIn;
  store: BlueprintStore;
  planner: Planner;
  applies: Applies;
  /** another process on the same database and account */
  another(times?: Partial<Times>): Applies;
  write(text: string): Promise<void>;
  draft(options?: { prune?: boolean }): Promise<Draft>;
  /** Plans and applies the file as it is; null when there is nothing to do. */
  apply(watcher?: Partial<Watcher>): Promise<Apply | null>;
  writes(): string[];
  /** Lets the lease of an apply run out. */
  age(applyId: string): Promise<void>;
};

const quick: Partial<Times> = { leaseMs: 3_000, pollMs: 20, readyMs: 5_000, deployMs: 10_000, againMs: 10 };

/** Planner and applies on a database of their own, against a stand-in that keeps no time. */
export async function openWorkshop(text: string, { stageMs = 0 } = {}): Promise<Workshop> {
  const [database, render] = [await freshDatabase(), await startRenderStandIn({ stageMs, hasLimits: false })];
  const folder = await mkdtemp(join(tmpdir(), "signalbox-blueprint-"));
  const path = join(folder, "render.yaml");
  const pool = buildPool({ url: database.url, name: "test renderctl", onError: () => undefined });
  const logs = buildLog({ service: "renderctl", level: "fatal", format: "json", runId: "test", delivery: null });
  const store = buildBlueprintStore(pool);
  const client = buildRenderClient({ baseUrl: render.apiUrl, token: render.token });
  const ownerId = async () => String(render.state.owners[0]?.id);
  const planner = buildPlanner({ client, store, ownerId, hash, repository, selfId: null });
  const another = (times: Partial<Times> = {}) =>
    buildApplies({
      client,
      store,
      planner,
      hash,
      instance: "test",
      log: () => logs.log,
      times: { ...quick, ...times },
    });
  const applies = another();
  const signal = new AbortController().signal;
  const draft = ({ prune = false } = {}) => planner.draft({ path, prune }, signal);
  await writeFile(path, text);
  return {
    ...{ render, store, planner, applies, another, draft },
    write: (next) => writeFile(path, next),
    writes: () => render.control.writes().map(({ method, path: at }) => `${method} ${at}`),
    async apply(watcher = {}) {
      const now = await draft();
      const plan = await planner.keep(now, "user:ann");
      const apply = await applies.begin(now, { actor: "user:ann", planId: plan.id, taskId: null, state: "running" });
      return apply && (await applies.run(apply.id, { signal, ...watcher }));
    },
    async age(applyId) {
      await pool.query("update render_applies set lease_until = now() - interval '1 s' where id = $1", [applyId]);
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await pool.end();
      await render[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
      await logs.close();
    },
  };
}

/** A small fleet with everything that makes applying hard: references both ways, a group, a secret by hand, a store. */
export const shop = `services:
  - type: web
    name: site
    runtime: static
    rootDir: web
    buildCommand: npm ci && npm run build
    staticPublishPath: dist
    domains: [shop.example]
    headers:
      - { path: /*, name: X-Frame-Options, value: DENY }
      - { path: /assets/*, name: Cache-Control, value: immutable }
    routes: [{ type: rewrite, source: /*, destination: /index.html }]
    envVars:
      - { key: API_URL, fromService: { type: web, name: api, envVarKey: RENDER_EXTERNAL_URL } }
  - type: web
    name: api
    runtime: docker
    plan: starter
    region: frankfurt
    dockerfilePath: ./infra/Dockerfile
    preDeployCommand: node migrate.js
    healthCheckPath: /health
    ipAllowList: [{ source: 0.0.0.0/0, description: everywhere }]
    envVars:
      - { key: DATABASE_URL, fromDatabase: { name: db, property: connectionString } }
      - { key: REDIS_URL, fromService: { type: keyvalue, name: cache, property: connectionString } }
      - { key: ALLOWED_ORIGIN, fromService: { type: web, name: site, envVarKey: RENDER_EXTERNAL_URL } }
      - { key: STRIPE_KEY, sync: false }
      - { key: LOG_LEVEL, value: info }
      - fromGroup: shared
  - type: worker
    name: mailer
    runtime: node
    buildCommand: npm ci
    startCommand: npm start
    scaling: { minInstances: 1, maxInstances: 3, targetCPUPercent: 60 }
    disk: { name: spool, mountPath: /spool }
    envVars:
      - { key: API_HOST, fromService: { type: web, name: api, property: hostport } }
      - fromGroup: shared
  - { type: keyvalue, name: cache, plan: free, ipAllowList: [], maxmemoryPolicy: allkeys-lru }
databases:
  - { name: db, plan: basic-256mb, postgresMajorVersion: "17", databaseName: shop, diskSizeGB: 5, ipAllowList: [] }
envVarGroups:
  - name: shared
    envVars:
      - { key: SALT, generateValue: true }
      - { key: REGION, value: eu }
`;
