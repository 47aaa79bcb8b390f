/** A whole watcher on a database of its own, before a PostHog and a fleet that do as a test says, at a time that the test turns. */
import type { ErrorReply } from "@signalbox/common/contracts/errors.ts";
import { buildConfigReport, ensureConfig } from "@signalbox/common/settings.ts";
import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { asPerson, asService, credentials } from "@signalbox/testing/http-service.ts";
import { startPosthogStandIn } from "@signalbox/testing/posthog-stand-in/server.ts";
import { buildApp } from "./app.ts";
import type { Finding, FindingEvent } from "./finding.ts";
import { type FleetStandIn, startFleetStandIn } from "./fleet-stand-in.fixture.ts";
import type { RunOutcome } from "./loops/run.ts";
import { settings } from "./settings.ts";

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
/** A Monday noon, some minutes after the hour has settled. */
export const startAt = Date.parse("2026-03-02T12:20:00Z");

export type FindingWithEvents = Finding & { events: FindingEvent[] };
/** The body has what the test says, or the error; which of them it is, is what the test expects of it. */
export type Answer<T> = { status: number; body: T & ErrorReply; etag: string | null; headers: Headers };
export type Items<T> = { items: T[]; nextCursor: string | null };

type StartOptions = {
  env?: Record<string, string>;
  /** several watchers may share what they watch and what they keep */
  shared?: { database: TestDatabase; posthog: Posthog; fleet: FleetStandIn; clock: { at: number } };
};
type Posthog = Awaited<ReturnType<typeof startPosthogStandIn>>;

export type Watcher = Awaited<ReturnType<typeof startWatcher>>;

export async function startWatcher({ env = {}, shared }: StartOptions = {}) {
  const clock = shared?.clock ?? { at: startAt };
  const database = shared?.database ?? (await freshDatabase());
  const posthog =
    shared?.posthog ?? (await startPosthogStandIn({ now: () => clock.at, hasLimits: false, asyncPolls: 0 }));
  const fleet = shared?.fleet ?? (await startFleetStandIn());
  const app = buildWatcher({ ...envOf({ database, posthog, fleet }), ...env }, clock);
  await app.start();
  let stopped: Promise<void> | null = null;
  const stop = () => {
    stopped ??= app.stop();
    return stopped;
  };
  const url = `http://127.0.0.1:${app.port()}`;
  const call = buildCall(url);
  const run = async (monitor?: string) =>
    (
      await call<{ state: string; outcome: RunOutcome }>("/watch/run", {
        body: monitor ? { monitor } : {},
        headers: { prefer: "wait=30" },
      })
    ).body;
  return {
    ...{ app, stop, url, clock, database, posthog, fleet, call, run },
    put: (name: string, definition: object, headers = {}) =>
      call(`/monitors/${name}`, { method: "PUT", body: definition, headers }),
    findings: async (query = ""): Promise<Finding[]> => (await call<Items<Finding>>(`/findings${query}`)).body.items,
    /** Lets so much time pass, and looks. */
    async later(ms: number) {
      clock.at += ms;
      return await run();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      if (shared) return;
      await Promise.all([posthog[Symbol.asyncDispose](), fleet[Symbol.asyncDispose]()]);
      await database[Symbol.asyncDispose]();
    },
  };
}

type Around = { database: TestDatabase; posthog: Posthog; fleet: FleetStandIn };

function envOf({ database, posthog, fleet }: Around): Record<string, string> {
  return {
    ...{ PORT: "0", BASIC_AUTH_USER: credentials.user, BASIC_AUTH_PASS: credentials.pass, INTERNAL_KEY: "key-of-now" },
    ...{
      ORCHESTRATOR_URL: fleet.url,
      LOGGING_URL: "http://127.0.0.1:9",
      DATABASE_URL: database.url,
      LOG_LEVEL: "fatal",
    },
    ...{ POSTHOG_HOST: posthog.url, POSTHOG_PROJECT_ID: String(posthog.projectId), POSTHOG_API_KEY: posthog.apiKey },
    ...{ MONITORS_DIR: "/nowhere", POSTHOG_WEBHOOK_SECRET: "webhook-secret", POSTHOG_REQUESTS_PER_MINUTE: "240" },
  };
}

function buildWatcher(env: Record<string, string>, clock: { at: number }) {
  return buildApp(ensureConfig(settings, env), () => buildConfigReport(settings, env), {
    clock: () => clock.at,
    pace: { tickMs: 60_000, slowMs: 0 },
    lead: { leaseMs: 2_000, everyMs: 50 },
    patience: 0.001,
    heartbeatMs: 60_000,
    drainMs: 500,
  });
}

function buildCall(url: string) {
  return async <T = FindingWithEvents>(path: string, options: CallOptions = {}): Promise<Answer<T>> => {
    const { method = options.body === undefined ? "GET" : "POST", body, headers = {}, as = "person" } = options;
    const who = { person: asPerson, service: asService, nobody: {} }[as];
    const response = await fetch(url + path, {
      method,
      headers: { ...who, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const { status } = response;
    return {
      status,
      body: text === "" ? null : JSON.parse(text),
      etag: response.headers.get("etag"),
      headers: response.headers,
    };
  };
}

type CallOptions = {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  as?: "person" | "service" | "nobody";
};

/** Six weeks of a steady event up to an hour, with a daily wave; what comes after is the test's. */
export function addHistory(
  { posthog }: Pick<Watcher, "posthog">,
  event: string,
  given: { until?: number; value?: number; from?: number } = {},
): void {
  const { until = startAt - 20 * minuteMs, value = 100, from = startAt - 20 * minuteMs - 42 * dayMs } = given;
  posthog.control.addSeries({ event, from, to: until, stepSeconds: 600, value, wave: 0.3 });
}

/** Events every ten minutes from one time to another. */
export function addEvents(
  { posthog }: Pick<Watcher, "posthog">,
  event: string,
  given: { from: number; to: number; value: number },
): void {
  posthog.control.addSeries({ event, stepSeconds: 600, ...given });
}
