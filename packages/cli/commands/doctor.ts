import { basename, dirname } from "node:path";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import { type Command, CommandError, exitCodes, type Invocation, noneOf } from "../command.ts";
import type { ServiceName } from "../credentials.ts";
import { isFleetAlive } from "../fleet-lock.ts";
import { type Remote, whyOf } from "../remote.ts";
import { plain, type Terminal } from "../terminal.ts";
import {
  checkDatabaseOf,
  checkNode,
  checkPorts,
  checkRenderToken,
  checkSchemaFiles,
  checkTelegram,
  checkWebhooks,
  type Finding,
} from "./doctor-parts.ts";

/** A clock that is further off makes schedules and cursors of people confusing. */
const maxSkewMs = 2_000;
const slowMs = 500;

export const doctor: Command = {
  name: "doctor",
  usage: "",
  summary: "Look at everything that a fleet needs, and say what to do about what is wrong",
  async run(invocation) {
    noneOf(invocation.positionals);
    const { terminal } = invocation;
    const found = await invocation.remote().catch((error: unknown) => error as Error);
    const remote = found instanceof Error ? found : ((await findKilled(found)) ?? found);
    const findings = [checkNode(), ...(await checkGround(remote instanceof Error ? null : remote))];
    for (const finding of findings) tell(finding, terminal);
    const barred = remote instanceof Error ? remote : await tryLogin(remote);
    const further = remote instanceof Error ? [unreachable(remote)] : await checkFleet(remote, barred, invocation);
    for (const finding of further) tell(finding, terminal);
    const all = [...findings, ...further];
    const isWell = all.every(({ state }) => state !== "bad");
    terminal.document({ ok: isWell, checks: all });
    if (isWell) return exitCodes.done;
    return barred instanceof CommandError ? barred.exitCode : exitCodes.failed;
  },
};

/** A fleet that was killed leaves its file behind; all that could be said of its parts is that nothing answers. */
async function findKilled({ access }: Remote): Promise<CommandError | null> {
  if (basename(access.source) !== "fleet.json" || access.urls.orchestrator === undefined) return null;
  if (await isFleetAlive(dirname(access.source))) return null;
  const answers = await fetch(`${access.urls.orchestrator}/health`, { signal: AbortSignal.timeout(2_000) }).then(
    () => true,
    () => false,
  );
  if (answers) return null;
  const message = `${access.source} is of a fleet that was killed; start it again with "npx pnpm start", nothing is lost`;
  return new CommandError(exitCodes.unreachable, "no_fleet", message);
}

/** Why nothing can be asked of this fleet. */
function tryLogin(remote: Remote): Promise<Error | null> {
  return remote.call("/config/validate").then(
    () => null,
    (error: Error) => error,
  );
}

const isRefusal = (error: Error) => error instanceof CommandError && error.exitCode === exitCodes.refused;

function toLogin(refusal: Error | null): Finding {
  if (refusal !== null) return { check: "login", state: "bad", message: refusal.message };
  return { check: "login", state: "ok", message: "the fleet takes it" };
}

const marks = { ok: ["✓", "green"], warn: ["!", "yellow"], bad: ["✗", "red"], off: ["-", "dim"] } as const;

function tell({ check, state, message }: Finding, { line, paint }: Terminal): void {
  const [mark, colour] = marks[state];
  line(`${paint(colour, mark)} ${check.padEnd(18)} ${plain(message)}`);
}

/** What a fleet stands on: its ports as long as none runs, its database as soon as one does. */
async function checkGround(remote: Remote | null): Promise<Finding[]> {
  if (remote === null) return [await checkPorts(process.env.SIGNALBOX_PORT_BASE), await checkSchemaFiles()];
  const { databaseUrl } = remote.access;
  return databaseUrl === null ? [await checkSchemaFiles()] : await checkDatabaseOf(databaseUrl);
}

function unreachable(error: Error): Finding {
  return { check: "fleet", state: "bad", message: error.message };
}

async function checkFleet(remote: Remote, barred: Error | null, { signal }: Invocation): Promise<Finding[]> {
  const { urls, off } = remote.access;
  const running = (Object.keys(urls) as ServiceName[]).sort();
  const looked = await Promise.all(running.map((name) => checkService(remote, name, signal)));
  const offs = Object.entries(off).map(
    ([name, why]): Finding => ({ check: name, state: "off", message: `off: ${why}` }),
  );
  const outside = await checkOutside(remote, signal);
  return [
    { check: "fleet", state: "ok", message: `found by ${remote.access.source}` },
    ...(barred === null || isRefusal(barred) ? [toLogin(barred)] : []),
    ...looked.flat(),
    ...outside,
    ...offs,
  ];
}

/** The ways to others; a service that does not answer has been told of already. */
async function checkOutside(remote: Remote, signal: AbortSignal): Promise<Finding[]> {
  const { urls } = remote.access;
  const checks = [
    ...(urls.orchestrator ? [checkIncoming(remote, signal)] : []),
    ...(urls.telegram ? [checkTelegram(remote)] : []),
    ...(urls.renderctl ? [checkRenderToken(remote)] : []),
  ];
  const settled = await Promise.allSettled(checks);
  return settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}

async function checkIncoming(remote: Remote, signal: AbortSignal): Promise<Finding> {
  const { settings } = await remote.call<ConfigReport>("/config/validate", { service: "orchestrator" });
  const isSet = settings.some(({ key, status }) => key === "GITHUB_WEBHOOK_SECRET" && status === "set");
  return await checkWebhooks(remote, isSet, signal);
}

async function checkService(remote: Remote, service: ServiceName, signal: AbortSignal): Promise<Finding[]> {
  const url = remote.access.urls[service] ?? "";
  try {
    const startedAt = performance.now();
    const response = await fetch(`${url}/ready`, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) });
    const tookMs = Math.round(performance.now() - startedAt);
    const ready = (await response.json()) as { checks?: { name: string; ok: boolean; message?: string }[] };
    const failed = (ready.checks ?? []).filter(({ ok }) => !ok);
    const skew = toSkew(service, response.headers.get("date"), tookMs);
    const config = await checkConfig(remote, service);
    if (failed.length > 0) {
      const why = failed.map(({ name, message }) => `${name}: ${message ?? "not ok"}`).join("; ");
      return [{ check: service, state: "bad", message: `not ready: ${why}` }, ...config, ...skew];
    }
    const state = tookMs > slowMs ? "warn" : "ok";
    return [
      {
        check: service,
        state,
        message: `ready at ${url}, answered in ${tookMs} ms${state === "warn" ? ", which is slow" : ""}`,
      },
      ...config,
      ...skew,
    ];
  } catch (error) {
    return [
      {
        check: service,
        state: "bad",
        message: `${url} does not answer (${whyOf(error)}); look at its lines in the supervisor's output`,
      },
    ];
  }
}

async function checkConfig(remote: Remote, service: ServiceName): Promise<Finding[]> {
  const call = remote.call<ConfigReport>("/config/validate", { service });
  // A refused login is told of once, for all of them.
  const report = await call.catch((error: Error) => (isRefusal(error) ? { settings: [] } : Promise.reject(error)));
  const wrong = report.settings.filter(({ status }) => status === "invalid" || status === "missing");
  return wrong
    .filter(({ required, status }) => required || status === "invalid")
    .map(({ key, status, message }) => ({
      check: `${service} config`,
      state: "bad",
      message: `${key} is ${status}${message ? `: ${message}` : ""}`,
    }));
}

function toSkew(service: string, date: string | null, tookMs: number): Finding[] {
  if (date === null) return [];
  const offMs = Math.abs(Date.now() - tookMs / 2 - Date.parse(date) - 500);
  if (offMs <= maxSkewMs + tookMs) return [];
  return [
    {
      check: `${service} clock`,
      state: "warn",
      message: `its clock differs from ours by about ${Math.round(offMs / 1_000)} s; set both by NTP`,
    },
  ];
}
