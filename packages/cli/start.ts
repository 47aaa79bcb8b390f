import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { messageOf, SetupError } from "@signalbox/testing/setup-error.ts";
import { ensureDashboard } from "./dashboard-build.ts";
import { buildFleet, type Fleet, type FleetHandle } from "./fleet.ts";
import { type FleetEnv, loadFleetEnv, readEnvFile } from "./fleet-env.ts";
import { acquireFleetLock, type FleetLock } from "./fleet-lock.ts";
import { mostOrchestrators } from "./fleet-plan.ts";
import { ensureHome, explainHome } from "./home.ts";
import { watchLauncher } from "./launcher.ts";
import { buildOutput, type Output } from "./output.ts";
import { parsePortBase } from "./ports.ts";
import { type Changed, watchSources } from "./watch.ts";

const usage = `pnpm start [--watch] [--rehearse]

Starts a whole fleet on this machine: its database, every service whose settings are present, and the dashboard.
Ctrl-C stops all of it. Everything it keeps is in .signalbox, and the next start finds it again.

  --watch      start a service again when its files change (pnpm dev)
  --rehearse   with local stand-ins for Render, Telegram, PostHog and GitHub, in a home of its own (pnpm rehearse)
  --help       this text

Settings, from the environment, the file .env, or <home>/env, the first that has one:
  SIGNALBOX_HOME            folder of the fleet's data, passwords and fleet.json   (.signalbox)
  SIGNALBOX_PORT_BASE       first port: orchestrator +0, logging +1, echo-agent +2, PostgreSQL +32, dashboard +80   (4000)
  SIGNALBOX_ORCHESTRATORS   how many orchestrators run, 1 to ${mostOrchestrators}   (1)
  DATABASE_URL              a PostgreSQL of your own, 15 or newer   (an embedded one)
  SIGNALBOX_ENV_FILE        another file in place of .env   (.env)
  SIGNALBOX_BACKUP_HOURS    hours between backups into <home>/backups, 0 for none   (6)
  LOG_FORMAT                json or pretty: pass on what services print   (made readable here)
Every other setting of a service is passed to it; .env.example lists them.`;

/** A launcher (npx, pnpm, npm) passes the terminal's Ctrl-C on, so that it arrives twice within a moment. */
const samePressMs = 1_000;

type Started = { fleet: Fleet; env: FleetEnv; output: Output };

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags === null) return;
  const dotEnv = await readEnvFile(process.env.SIGNALBOX_ENV_FILE || join(repositoryRoot, ".env"));
  const setting = (key: string) => process.env[key] || dotEnv[key] || undefined;
  const usualHome = join(repositoryRoot, ".signalbox", ...(flags.rehearse ? ["rehearsal"] : []));
  const home = resolve(setting("SIGNALBOX_HOME") ?? usualHome);
  const portBase = parsePortBase(setting("SIGNALBOX_PORT_BASE"));
  const orchestrators = parseOrchestrators(setting("SIGNALBOX_ORCHESTRATORS"));
  const backupHours = parseBackupHours(setting("SIGNALBOX_BACKUP_HOURS"));
  process.stderr.on("error", () => undefined);
  const output = buildOutput(process.stdout, setting("LOG_FORMAT") !== undefined);
  let lock: FleetLock | null = null;
  try {
    await ensureHome(home);
    lock = await acquireFleetLock(home);
    const env = await loadFleetEnv(home, dotEnv, process.env);
    const { wasAbandoned } = lock;
    const common = {
      repository: repositoryRoot,
      home,
      env,
      portBase,
      orchestrators,
      output,
      wasAbandoned,
      backupHours,
    };
    await runFleet(lock, { ...common, watch: flags.watch, rehearsal: flags.rehearse });
  } catch (error) {
    await lock?.release();
    throw explainHome(home, error);
  }
}

type RunOptions = Omit<Parameters<typeof buildFleet>[0], "signal">;

async function runFleet(lock: FleetLock, options: RunOptions): Promise<void> {
  const { output, home } = options;
  const interrupted = new AbortController();
  const handle = buildFleet({ ...options, signal: interrupted.signal });
  const ended = stopOnSignals({ handle, lock, output, interrupted });
  const startedAt = performance.now();
  output.say(`Signalbox is starting in ${home}`);
  try {
    const fleet = await handle.start();
    announce({ fleet, env: options.env, output }, home, performance.now() - startedAt);
    if (options.watch) followSources(fleet, options);
  } catch (error) {
    if (interrupted.signal.aborted) return;
    await handle.stop(false);
    throw error;
  } finally {
    ended.booted();
  }
}

/** The first signal stops in order, a later one without grace. */
function stopOnSignals(fleet: { handle: FleetHandle; lock: FleetLock; output: Output; interrupted: AbortController }) {
  const booted = Promise.withResolvers<void>();
  let firstAt: number | null = null;
  const end = async (force: boolean) => {
    await fleet.handle.stop(force);
    await fleet.lock.release();
  };
  const stop = async (signal: string) => {
    if (firstAt !== null) {
      // A closing terminal is no impatience.
      if (signal === "SIGHUP" || performance.now() - firstAt < samePressMs) return;
      fleet.output.say("Stopping at once");
      await end(true);
      process.exit(1);
    }
    firstAt = performance.now();
    fleet.output.say(`\nStopping (${signal}); once more stops without waiting`);
    fleet.interrupted.abort();
    // What is being started is finished first: then all that began is known.
    await booted.promise;
    await end(false);
    fleet.output.say("Stopped");
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => void stop(signal).catch(fail));
  }
  watchLauncher(process.env, () => void stop("who started this has ended").catch(fail)).catch(fail);
  return { booted: booted.resolve };
}

function announce({ fleet, env, output }: Started, home: string, tookMs: number): void {
  output.say("");
  for (const service of fleet.planned) {
    const state =
      service.kind === "run" ? `${service.plan.url.padEnd(24)} running` : `${"".padEnd(24)} off: ${service.reason}`;
    output.say(`  ${service.name.padEnd(15)} ${state}`);
  }
  output.say(`  ${"dashboard".padEnd(15)} ${fleet.dashboard.url.padEnd(24)} running`);
  output.say(`\nReady after ${(tookMs / 1_000).toFixed(1)} s. ${describeLogin(env, home)}\nCtrl-C stops everything.\n`);
}

/** A password that a person chose is theirs: only a generated one is shown. */
function describeLogin(env: FleetEnv, home: string): string {
  const user = env.values.BASIC_AUTH_USER ?? "";
  const source = env.sourceOf("BASIC_AUTH_PASS");
  if (source !== "home") return `Log in as ${user} with the BASIC_AUTH_PASS of your ${source}.`;
  return `Log in as ${user} with the password ${env.values.BASIC_AUTH_PASS} (kept in ${join(home, "env")}).`;
}

function followSources({ services, dashboard }: Fleet, { repository, home, output }: RunOptions): void {
  const rebuild = async () => {
    const { folder, isNew } = await ensureDashboard(repository, home);
    await dashboard.show(folder);
    if (isNew) output.say("dashboard: built again, reload the page");
  };
  const restart = (changed: Changed) => {
    const touched = services.filter(({ name }) => changed.kind === "common" || isOf(name, changed));
    output.say(
      `changed: ${changed.kind === "service" ? changed.name : "packages/common"}; starting again ${touched.map(({ name }) => name).join(", ")}`,
    );
    for (const service of touched) service.restart();
  };
  const names = new Set(services.map(({ name }) => name.replace(/-\d+$/, "")));
  watchSources(repository, [...names], (changed) => {
    if (changed.kind !== "dashboard") restart(changed);
    if (changed.kind !== "service") rebuild().catch((error) => output.warn(messageOf(error)));
  });
}

function isOf(name: string, changed: Changed): boolean {
  return changed.kind === "service" && name.replace(/-\d+$/, "") === changed.name;
}

function readFlags(): { watch: boolean; rehearse: boolean } | null {
  try {
    const flag = { type: "boolean" } as const;
    const { values } = parseArgs({ options: { watch: flag, rehearse: flag, help: { ...flag, short: "h" } } });
    if (!values.help) return { watch: values.watch ?? false, rehearse: values.rehearse ?? false };
    process.stdout.write(`${usage}\n`);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${usage}\n`);
    process.exitCode = 2;
  }
  return null;
}

function parseOrchestrators(text: string | undefined): number {
  if (text === undefined) return 1;
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= mostOrchestrators) return count;
  throw new SetupError(`SIGNALBOX_ORCHESTRATORS is "${text}"; set it to a whole number from 1 to ${mostOrchestrators}`);
}

function parseBackupHours(text: string | undefined): number {
  if (text === undefined) return 6;
  const hours = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (hours >= 0 && hours <= 168) return hours;
  throw new SetupError(`SIGNALBOX_BACKUP_HOURS is "${text}"; set it to a whole number from 0 to 168`);
}

function fail(error: unknown): never {
  const text = error instanceof SetupError ? `Signalbox cannot start: ${error.message}` : describeBug(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

function describeBug(error: unknown): string {
  return `Signalbox ended because of a mistake of its own: ${error instanceof Error ? error.stack : String(error)}`;
}

await main().catch(fail);
