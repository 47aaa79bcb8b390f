import { Type } from "typebox";
import { ConfigReport, Health, Ready } from "./contracts/service.ts";
import { withDeadline } from "./drain.ts";
import type { Metrics } from "./metrics.ts";
import { defineRoute, type Route, type RouteContract } from "./route.ts";

export type ReadyCheck = { name: string; ok: boolean; message?: string };

export type StandardOptions = {
  service: string;
  version: string;
  report: () => ConfigReport;
  metrics: Metrics;
  /** hard dependencies; none means that the service is ready when it listens */
  checks?: (() => Promise<ReadyCheck[]>) | undefined;
  /** false: it serves, but something optional is away; `/health` says so, as it does of a hard dependency */
  isHealthy?: (() => boolean) | undefined;
  isClosing: () => boolean;
  openapi: () => unknown;
};

/** Platforms and load balancers append parameters of their own. */
const AnyQuery = Type.Object({}, { additionalProperties: true });

const checksDeadlineMs = 3_000;

const healthWaitMs = 100;

/** One answer serves everybody who asks within this time: the route is public and its checks reach a database. */
const checksReuseMs = 500;

/** What every service answers. */
export const standardContracts = {
  health: {
    method: "GET",
    path: "/health",
    aliases: ["/healthz"],
    auth: "public",
    summary: "Is the process able to serve? Dependencies that are down do not change the status code",
    query: AnyQuery,
    replies: { 200: Health },
    maxInFlight: null,
    untraced: true,
  },
  ready: {
    method: "GET",
    path: "/ready",
    auth: "public",
    summary: "May traffic be sent here? 503 names the dependency that is away",
    query: AnyQuery,
    replies: { 200: Ready, 503: Ready },
    maxInFlight: null,
    untraced: true,
  },
  configValidate: {
    method: "GET",
    path: "/config/validate",
    auth: "any",
    summary: "Which settings are set, default, missing or invalid; never a value",
    replies: { 200: ConfigReport },
  },
  metrics: {
    method: "GET",
    path: "/metrics",
    auth: "any",
    summary: "Prometheus metrics",
    replies: { 200: Type.String({ description: "Prometheus text format" }) },
    replyType: "text/plain",
    untraced: true,
  },
  openapi: {
    method: "GET",
    path: "/openapi.json",
    auth: "public",
    summary: "This document",
    replies: { 200: Type.Record(Type.String(), Type.Unknown(), { description: "OpenAPI 3.1" }) },
  },
} as const satisfies Record<string, RouteContract>;

export function buildStandardRoutes(options: StandardOptions): Route[] {
  const check = reuse(() => runChecks(options.checks), checksReuseMs);
  return [
    health(options, check),
    ready(options, check),
    configValidate(options),
    metricsText(options),
    openapiDocument(options),
  ];
}

type Check = () => Promise<ReadyCheck[]>;

function health({ service, version, isHealthy }: StandardOptions, check: Check): Route {
  const startedAt = performance.now();
  let isReady = true;
  return defineRoute({
    ...standardContracts.health,
    async handle() {
      const looking = check().then((checks) => {
        isReady = checks.every((one) => one.ok);
      });
      // Who asks whether the process lives does not wait for a database that hangs: until it is known, what was known before holds.
      await withDeadline(looking, healthWaitMs, "looking at what is needed").catch(() => undefined);
      const status = isReady && isHealthy?.() !== false ? "ok" : "degraded";
      const uptimeSeconds = Math.round(performance.now() - startedAt) / 1000;
      return { status: 200, body: { status, service, version, uptimeSeconds } satisfies Health };
    },
  });
}

function ready(options: StandardOptions, check: Check): Route {
  return defineRoute({
    ...standardContracts.ready,
    async handle() {
      const checks = options.isClosing() ? [stopping] : await check();
      const isReady = checks.every((one) => one.ok);
      const body: Ready = { ready: isReady, checks };
      return isReady ? { status: 200, body } : { status: 503, body, headers: { "retry-after": "1" } };
    },
  });
}

const stopping: ReadyCheck = { name: "accepting", ok: false, message: "the service is stopping" };

async function runChecks(checks: StandardOptions["checks"]): Promise<ReadyCheck[]> {
  if (!checks) return [];
  try {
    return await withDeadline(checks(), checksDeadlineMs, "the readiness check");
  } catch {
    // The reason may name hosts and users; whoever may know them reads the log of the check itself.
    return [{ name: "checks", ok: false, message: "a readiness check failed or did not answer in time" }];
  }
}

function reuse<T>(make: () => Promise<T>, reuseMs: number): () => Promise<T> {
  let current: { value: Promise<T>; at: number } | null = null;
  return () => {
    const now = performance.now();
    if (!current || now - current.at > reuseMs) current = { value: make(), at: now };
    return current.value;
  };
}

function configValidate({ report }: StandardOptions): Route {
  return defineRoute({
    ...standardContracts.configValidate,
    async handle() {
      return { status: 200, body: report() };
    },
  });
}

function metricsText({ metrics }: StandardOptions): Route {
  return defineRoute({
    ...standardContracts.metrics,
    async handle() {
      const text = await metrics.registry.metrics();
      return {
        status: 200,
        headers: { "content-type": metrics.registry.contentType },
        async stream(response) {
          response.end(text);
        },
      };
    },
  });
}

function openapiDocument({ openapi }: StandardOptions): Route {
  return defineRoute({
    ...standardContracts.openapi,
    async handle() {
      return { status: 200, body: openapi() };
    },
  });
}
