import { join } from "node:path";
import { messageOf } from "@signalbox/testing/setup-error.ts";
import { waitForAgents } from "./agents.ts";
import { scheduleBackups } from "./backup/schedule.ts";
import { warmCompileCache } from "./compile-cache.ts";
import { ensureDashboard } from "./dashboard-build.ts";
import { type DashboardServer, startDashboard } from "./dashboard-server.ts";
import { checkDatabase } from "./database-url.ts";
import { type EmbeddedDatabase, openEmbeddedDatabase } from "./embedded-database.ts";
import { type FleetEnv, overrule } from "./fleet-env.ts";
import { buildFleetFileWriter, type FleetFile, type ServiceState } from "./fleet-file.ts";
import { listPrograms, listServices, type PlannedService, planFleet, type Role } from "./fleet-plan.ts";
import { type Keeper, openKeeper } from "./keeper.ts";
import type { Output } from "./output.ts";
import {
  dashboardPortOffset,
  databasePortOffset,
  ensurePortsFree,
  localUrl,
  type PortUse,
  refuseBlockedPort,
  refuseSharedPort,
} from "./ports.ts";
import { type Emulators, startEmulators } from "./rehearsal.ts";
import { bringSchema } from "./schema.ts";
import { type SupervisedService, superviseService } from "./supervised-service.ts";

/*
 * A fleet on one machine: the database, its schema, the services, the dashboard, and `fleet.json`.
 *
 * It is built up in that order, what does not depend on each other side by side, and every part that began registers how
 * it ends. Stopping runs these in reverse: first orchestrators (no new work, agents finish what they have), then agents,
 * then logging, which has taken everybody's last lines, then the database. `fleet.json` goes first of all, so that nobody
 * finds a fleet that is leaving. A boot that fails or is interrupted stops in the same way.
 */

export type FleetOptions = {
  repository: string;
  home: string;
  env: FleetEnv;
  portBase: number;
  orchestrators: number;
  output: Output;
  /** Local stand-ins take the vendors' places. */
  rehearsal: boolean;
  /** Hours between backups; 0 for none. */
  backupHours: number;
  /** Files are being edited: a service that does not start is tried again. */
  watch: boolean;
  /** The home's former owner was killed: its processes may still hold the ports for a moment. */
  wasAbandoned: boolean;
  /** Aborted when the fleet shall stop while it starts. */
  signal: AbortSignal;
};

export type Fleet = {
  planned: PlannedService[];
  services: SupervisedService[];
  dashboard: DashboardServer;
  databaseUrl: string;
  emulators: Emulators["urls"] | null;
};

export type FleetHandle = {
  start(): Promise<Fleet>;
  /** @param force without grace */
  stop(force: boolean): Promise<void>;
};

type Stop = (force: boolean) => Promise<void> | void;
type Boot = FleetOptions & { stops: Stop[] };

const leftoverPatienceMs = 30_000;

export function buildFleet(options: FleetOptions): FleetHandle {
  const boot: Boot = { ...options, stops: [] };
  return {
    start: () => startFleet(boot),
    async stop(force) {
      for (const stop of boot.stops.toReversed()) {
        // One part that cannot be stopped must not keep the others.
        await Promise.resolve(stop(force)).catch((error) => options.output.warn(messageOf(error)));
      }
      boot.stops.length = 0;
    },
  };
}

async function startFleet(given: Boot): Promise<Fleet> {
  const { signal } = given;
  await ensurePortsFree(await listPorts(given), given.wasAbandoned ? leftoverPatienceMs : 0, () =>
    given.output.warn("the fleet that was killed here is still ending; waiting for its ports"),
  );
  const { boot, emulators } = await rehearse(given);
  const compiled = warmCompileCache(boot.repository, await listPrograms(boot.repository)).catch((error) =>
    boot.output.warn(`sources are compiled at every start: ${messageOf(error)}`),
  );
  const [databaseUrl, built] = await bothDone(prepareDatabase(boot), ensureDashboard(boot.repository, boot.home));
  await compiled;
  signal.throwIfAborted();

  const planned = await planFleet({
    ...boot,
    values: boot.env.values,
    databaseUrl,
    dashboardPort: dashboardPort(boot),
  });
  const file = buildFleetFileWriter(boot.home);
  const state: { fleet: Fleet | null } = { fleet: null };
  const dashboard = await openDashboard(boot, built, planned);
  const keeper = openKeeperOf(boot, planned);
  const services = await startServices({ ...boot, keeper }, planned, () => {
    if (state.fleet) void file.write(describeFleet(state.fleet)).catch((error) => boot.output.warn(messageOf(error)));
  });
  await registerAgents(boot, planned);
  const fleet: Fleet = { planned, services, dashboard, databaseUrl, emulators };
  boot.stops.push(() => {
    state.fleet = null;
    return file.remove();
  });
  // From here on a service that is back writes the file anew.
  state.fleet = fleet;
  await file.write(describeFleet(fleet));
  backUp(boot);
  return fleet;
}

/** A rehearsal plays; what it leaves behind is worth nothing. */
function backUp({ repository, home, env, backupHours, rehearsal, output, stops }: Boot): void {
  const { PATH = "", DATABASE_URL } = env.values;
  stops.push(
    scheduleBackups({
      ...{ home, program: join(repository, "packages", "cli", "signalbox.ts"), warn: output.warn },
      env: { PATH, ...(DATABASE_URL && { DATABASE_URL }) },
      everyHours: rehearsal ? 0 : backupHours,
    }),
  );
}

/** Ends after the services: their last words are the ones that count. What logging is too late for waits on disk for the next start. */
function openKeeperOf({ home, env, portBase, stops }: Boot, planned: PlannedService[]): Keeper {
  const { port = portBase } = planned.find(({ role }) => role === "logging") ?? {};
  const keeper = openKeeper({ home, loggingUrl: localUrl(port), internalKey: env.values.INTERNAL_KEY ?? "" });
  stops.push(() => keeper.close());
  return keeper;
}

/** In a rehearsal the settings of the vendors are the stand-ins', whatever was given. */
async function rehearse(boot: Boot): Promise<{ boot: Boot; emulators: Emulators["urls"] | null }> {
  if (!boot.rehearsal) return { boot, emulators: null };
  const emulators = await startEmulators(localUrl(boot.portBase));
  boot.stops.push(() => emulators.stop());
  for (const [name, { url }] of Object.entries(emulators.urls))
    boot.output.say(`  ${name.padEnd(15)} ${url} (stand-in)`);
  return { boot: { ...boot, env: overrule(boot.env, emulators.settings) }, emulators: emulators.urls };
}

/** Waits for both even if one fails: what the other has begun must be known to whoever stops it. */
async function bothDone<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return [await a, await b];
}

function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([work, aborted]);
}

async function prepareDatabase(boot: Boot): Promise<string> {
  const url = await openDatabase(boot);
  boot.signal.throwIfAborted();
  const applied = await bringSchema(url, boot.home);
  boot.output.say(`  schema          ${applied === 0 ? "up to date" : `${applied} migrations applied`}`);
  return url;
}

function dashboardPort({ portBase }: Boot): number {
  return portBase + dashboardPortOffset;
}

async function listPorts(boot: Boot): Promise<PortUse[]> {
  const { repository, portBase, orchestrators, env } = boot;
  const listed = await listServices(repository, orchestrators);
  const services = listed.map(({ name, portOffset }) => ({ port: portBase + portOffset, usedBy: name }));
  const database = { port: portBase + databasePortOffset, usedBy: "the embedded PostgreSQL" };
  const all = [...services, { port: dashboardPort(boot), usedBy: "the dashboard" }, database];
  refuseSharedPort(all);
  refuseBlockedPort(all.filter((use) => use !== database));
  return env.values.DATABASE_URL ? all.filter((use) => use !== database) : all;
}

async function openDatabase({ env, home, portBase, output, stops }: Boot): Promise<string> {
  const given = env.values.DATABASE_URL;
  if (given) {
    await checkDatabase(given);
    output.say("  database        the PostgreSQL of DATABASE_URL");
    return given;
  }
  const database: EmbeddedDatabase = await openEmbeddedDatabase({
    home,
    port: portBase + databasePortOffset,
    password: env.values.DATABASE_PASSWORD ?? "",
    adminPassword: env.values.DATABASE_ADMIN_PASSWORD ?? "",
    onWarning: output.warn,
  });
  stops.push((force) => database.stop(force ? "immediate" : "fast"));
  output.say(`  database        ${database.summary}`);
  return database.url;
}

/** Agents find an orchestrator to register with; that logging comes up a moment later is no matter for anybody. */
const startOrder: Role[][] = [["orchestrator", "logging"], ["agent"]];
/** No new work first; agents finish what they have and report it; the last lines are taken last. */
const stopOrder: Role[] = ["orchestrator", "agent", "logging"];

type Running = { role: Role; service: SupervisedService };

async function startServices(
  boot: Boot & { keeper: Keeper },
  planned: PlannedService[],
  onHealthy: () => void,
): Promise<SupervisedService[]> {
  const running: Running[] = [];
  boot.stops.push((force) => stopServices(running, force, boot.keeper));
  for (const roles of startOrder) {
    for (const service of planned) {
      if (service.kind !== "run" || !roles.includes(service.role)) continue;
      const options = { output: boot.output, keeper: boot.keeper, onHealthy, keepTrying: boot.watch };
      running.push({ role: service.role, service: superviseService(service.plan, options) });
    }
    await unlessAborted(boot.signal, Promise.all(running.map(({ service }) => service.started)));
  }
  return running.map(({ service }) => service);
}

async function stopServices(running: Running[], force: boolean, keeper: Keeper): Promise<void> {
  if (force) await Promise.all(running.map(({ service }) => service.kill()));
  for (const role of stopOrder) {
    if (role === "logging" && !force) await keeper.flush();
    await Promise.all(running.filter((one) => one.role === role).map(({ service }) => service.stop()));
  }
}

async function openDashboard(
  boot: Boot,
  built: { folder: string },
  planned: PlannedService[],
): Promise<DashboardServer> {
  const dashboard = await startDashboard(built.folder, dashboardPort(boot));
  boot.stops.push(() => dashboard.stop());
  const running = planned.filter((service) => service.kind === "run");
  dashboard.setServices(Object.fromEntries(running.map(({ name, port }) => [name, localUrl(port)])));
  return dashboard;
}

async function registerAgents({ env, portBase, signal }: Boot, planned: PlannedService[]): Promise<void> {
  const agents = planned.filter((service) => service.kind === "run" && service.role === "agent");
  await waitForAgents({
    orchestratorUrl: localUrl(portBase),
    internalKey: env.values.INTERNAL_KEY ?? "",
    agents: agents.map(({ name, port }) => ({ name, url: localUrl(port) })),
    signal,
  });
}

function describeFleet({ planned, services, dashboard, databaseUrl, emulators }: Fleet): FleetFile {
  const states = planned.map((service): [string, ServiceState] => {
    if (service.kind === "off") return [service.name, { state: "off", reason: service.reason }];
    const { pid = 0 } = services.find(({ name }) => name === service.name) ?? {};
    return [service.name, { url: service.plan.url, pid, state: "running" }];
  });
  const fleet = { services: Object.fromEntries(states), dashboard: { url: dashboard.url }, databaseUrl };
  return emulators === null ? fleet : { ...fleet, emulators };
}
