import { randomUUID } from "node:crypto";
import { type Agent, type AgentOptions, serveAgent } from "@signalbox/common/agent.ts";
import type { RunContext } from "@signalbox/common/agent-run.ts";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import type { Log } from "@signalbox/common/log.ts";
import { buildPool, type Pool } from "@signalbox/common/sql.ts";
import { version } from "@signalbox/common/version.ts";
import { buildTaskClient } from "./clients/orchestrator.ts";
import { buildRenderClient } from "./clients/render-client.ts";
import type { Context } from "./context.ts";
import { buildKeyedHash } from "./keyed-hash.ts";
import { buildBlueprintWork, repositoryOf } from "./loops/blueprint-work.ts";
import { runCancel, runDeploy, runRollback } from "./loops/deploys.ts";
import { runEnv } from "./loops/env.ts";
import { buildEnvReader } from "./loops/env-reader.ts";
import { buildMonitor, isMonitored } from "./loops/monitor.ts";
import { runNewService } from "./loops/new-service.ts";
import type { Tools } from "./loops/render-task.ts";
import { runRepair } from "./loops/repair-task.ts";
import { buildWorkspace } from "./loops/workspace.ts";
import type { Service } from "./render-shapes.ts";
import { buildOwnRoutes } from "./routes/all.ts";
import { buildTypes } from "./routes/task-types.ts";
import type { Settings } from "./settings.ts";
import { buildBlueprintStore } from "./store/blueprints.ts";
import { buildDeployStore, type DeployStore } from "./store/deploys.ts";
import { buildRepairStore } from "./store/repairs.ts";

/** What tests choose for themselves, besides the kit's own options. */
export type Overrides = Partial<AgentOptions> & { pollMs?: number; askMs?: number; monitorMs?: number };

const usualPollMs = 5_000;
const usualAskMs = 50_000;
const usualMonitorMs = 60_000;
const keepIntentsDays = 90;

export function buildApp(settings: Settings, report: () => ConfigReport, overrides: Overrides = {}): Agent {
  const { pollMs = usualPollMs, askMs = usualAskMs, monitorMs = usualMonitorMs, ...options } = overrides;
  const { ORCHESTRATOR_URL: url, INTERNAL_KEY: internalKey } = settings;
  const pool = buildPool({
    url: settings.DATABASE_URL,
    name: "signalbox renderctl",
    max: 5,
    onError: (err) => agent.logs.log.warn({ err }, "a database connection failed"),
  });
  const store = buildDeployStore(pool);
  const client = buildRenderClient({ baseUrl: settings.RENDER_API_BASE_URL, token: settings.RENDER_API_TOKEN });
  const tasks = buildTaskClient({ url, internalKey });
  const hash = buildKeyedHash(settings.SECRETS_KEY ?? internalKey);
  const workspace = buildWorkspace(settings.RENDER_OWNER_ID);
  const repository = repositoryOf(settings);
  const tools: Tools = { client, tasks, store, workspace, repository, pollMs };
  const log = () => agent.logs.log;
  const { blueprints, repairs, monitor, runs } = buildFleetWork({ settings, tools, hash, pool, log, monitorMs });
  const envReader = buildEnvReader({ hash, expectedOf: blueprints.planner.expectedOf });
  const monitored = settings.RENDER_MONITOR_SERVICES;
  const context: Context = {
    client,
    tasks,
    store,
    envReader,
    desk: blueprints.desk,
    drift: blueprints.drift,
    adoptDrifts: blueprints.adoptDrifts,
    repairs,
    monitored,
    repository,
    askMs,
    runs: { ...buildRuns(tools), ...runs },
  };
  const agent = serveAgent({
    settings,
    name: "renderctl",
    version,
    types: buildTypes(context),
    routes: buildOwnRoutes(context),
    report,
    checks: async () => [await checkDatabase(store)],
    ...options,
  });
  const stopping = new AbortController();
  let loops: Promise<unknown> = Promise.resolve();
  let stopped: Promise<void> | null = null;
  async function stop(): Promise<void> {
    stopping.abort();
    await agent.stop();
    await loops;
    await Promise.all([client.close(), tasks.close(), pool.end()]);
  }
  return {
    ...agent,
    async start() {
      await agent.start();
      loops = Promise.all([blueprints.tending, blueprints.drift, monitor].map((loop) => loop.run(stopping.signal)));
      await store
        .forgetIntents(keepIntentsDays)
        .catch((err: unknown) => agent.logs.log.warn({ err }, "old notes could not be deleted"));
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

type FleetWork = {
  settings: Settings;
  tools: Tools;
  hash(value: string): string;
  pool: Pool;
  log: () => Log;
  monitorMs: number;
};

/** What is about the whole account: blueprints, and the repairs that its owner consents to. */
function buildFleetWork({ settings, tools, hash, pool, log, monitorMs }: FleetWork) {
  const { client, tasks, workspace, repository, pollMs } = tools;
  const blueprints = buildBlueprintWork({
    ...{ tools, hash, log, store: buildBlueprintStore(pool), instance: randomUUID(), repository },
    selfId: settings.RENDER_SERVICE_ID ?? null,
    driftMinutes: settings.RENDER_DRIFT_MINUTES,
    times: { pollMs },
  });
  const monitored = settings.RENDER_MONITOR_SERVICES;
  const repairs = buildRepairStore(pool);
  const { planner } = blueprints;
  const monitor = buildMonitor({ client, tasks, repairs, workspace, planner, monitored, log, everyMs: monitorMs });
  const repairTools = { tools, repairs, isMonitored: (service: Service) => isMonitored(monitored, service) };
  return {
    blueprints,
    repairs,
    monitor,
    runs: {
      applyBlueprint: blueprints.run,
      repair: (run: RunContext<{ repairId: string }>) => runRepair(repairTools, run),
    },
  };
}

function buildRuns(tools: Tools): Omit<Context["runs"], "applyBlueprint" | "repair"> {
  return {
    deploy: (context) => runDeploy(tools, context),
    rollback: (context) => runRollback(tools, context),
    cancel: (context) => runCancel(tools, context),
    env: (context) => runEnv(tools, context),
    newService: (context) => runNewService(tools, context),
  };
}

async function checkDatabase({ ping }: DeployStore) {
  return await ping().then(
    () => ({ name: "database", ok: true }),
    () => ({ name: "database", ok: false, message: "PostgreSQL does not answer" }),
  );
}
