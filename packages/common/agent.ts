import { randomBytes } from "node:crypto";
import { type Static, type TObject, type TSchema, Type } from "typebox";
import { buildAgentCalls } from "./agent-calls.ts";
import { type RunCall, type RunContext, type RunKit, type RunOutcome, startRun } from "./agent-run.ts";
import { type AgentType, RunAnswer, RunRequest } from "./contracts/agent.ts";
import type { ConfigReport } from "./contracts/service.ts";
import { trackInFlight, withDeadline } from "./drain.ts";
import { ApiError, invalidInput, unavailable } from "./errors.ts";
import { buildHeartbeatLoop } from "./heartbeat.ts";
import { buildHttp, type Listening, listen } from "./http.ts";
import { buildLog, type LogHandle } from "./log.ts";
import { observeLog } from "./log-metrics.ts";
import { buildMetrics, type Metrics } from "./metrics.ts";
import { defineRoute, type Reply, type Route, type RouteInput } from "./route.ts";
import type { Service } from "./run-main.ts";
import { serviceSettings } from "./settings.ts";
import { openSpans } from "./spans.ts";
import type { ReadyCheck } from "./standard-routes.ts";
import { fromHeaderText } from "./trace.ts";
import { type Check, compileCheck, withoutIds } from "./validate.ts";

/**
 * The kit that makes an agent: a service that runs tasks of some types. Its whole `app.ts` may be
 *
 *     export const buildApp = (settings: Settings, report: () => ConfigReport) =>
 *       serveAgent({ name: "greeter", version: "1.0.0", settings, report, types: [greet] });
 *
 * which gives it the internal key, validated payloads, progress, deadline and abort signal, logs that carry the trace,
 * heartbeats, `/health`, `/ready`, `/metrics`, `/config/validate`, `/openapi.json`, and a shutdown that loses nothing.
 */

const { DATABASE_URL: _database, ...shared } = serviceSettings;
/** What every agent is told by its environment; its own settings and its port stand beside these. */
export const agentSettings = shared;
export type AgentSettings = Static<TObject<typeof agentSettings>>;

/** What one type of task needs: what is registered for it, and what runs it. */
export type RunnableType = Omit<AgentType, "payloadSchema"> & {
  payloadSchema?: TSchema | undefined;
  run(context: RunContext): Promise<RunOutcome>;
};

/** One type of task; `context.payload` has the type of the schema. */
export function defineTaskType<S extends TSchema = TSchema>(
  spec: Omit<RunnableType, "payloadSchema" | "run"> & {
    payloadSchema?: S;
    run(context: RunContext<Static<S>>): Promise<RunOutcome>;
  },
): RunnableType {
  return spec;
}

/**
 * What is accepted on a type's path: the orchestrator's RunRequest, or less of it from somebody who tries an agent by
 * hand. Open, so that a later orchestrator may say more.
 */
const RunCallBody = Type.Object(
  {
    ...Type.Partial(RunRequest).properties,
    payload: RunRequest.properties.payload,
  },
  { additionalProperties: true },
);
type RunCallBody = Static<typeof RunCallBody>;

const Accepted = Type.Object({ deferred: Type.Boolean() }, { additionalProperties: false });

/** A task of 1 MiB grows when it is written anew: escapes, numbers with an exponent. */
const runBodyLimitBytes = 4_194_304;

type Start = (spec: RunnableType, input: RouteInput<undefined, undefined, RunCallBody>) => Promise<Reply>;

/** One route per path; types may share one. Without `start` it only describes them, for the OpenAPI document. */
export function buildRunRoutes(types: readonly RunnableType[], start: Start = refuseStart): Route[] {
  const paths = Map.groupBy(types, ({ path }) => path);
  return [...paths].map(([path, sharing]) => {
    const checks = new Map(sharing.map((spec) => [spec.type, compilePayload(spec)]));
    return defineRoute({
      method: "POST",
      path,
      auth: "internal",
      summary: `Runs ${sharing.map(({ type }) => type).join(", ")}`,
      body: RunCallBody,
      bodyLimitBytes: runBodyLimitBytes,
      replies: { 200: RunAnswer, 202: Accepted },
      // The run has a line of its own.
      quiet: true,
      async handle(input) {
        const spec = specFor(sharing, input.body.type);
        const problems = checks.get(spec.type)?.(input.body.payload, input.rawBody.length);
        if (problems) throw invalidInput(problems.map(({ path, message }) => ({ path: `/payload${path}`, message })));
        return await start(spec, input);
      },
    });
  });
}

function compilePayload({ payloadSchema }: RunnableType): Check {
  return payloadSchema ? compileCheck(payloadSchema) : () => null;
}

/** A direct call need not name the type; the first one of the path is meant then. */
function specFor(sharing: readonly RunnableType[], type: string | undefined): RunnableType {
  const spec = type === undefined ? sharing[0] : sharing.find((one) => one.type === type);
  if (spec) return spec;
  const known = sharing.map((one) => one.type).join(", ");
  throw new ApiError("unsupported_task_type", `This path does not run tasks of that type; it runs ${known}.`);
}

function refuseStart(): Promise<Reply> {
  throw new Error("these routes only describe an agent");
}

export type AgentOptions = {
  settings: AgentSettings;
  name: string;
  version: string;
  types: readonly RunnableType[];
  report: () => ConfigReport;
  /** more than running tasks: an agent may have an API of its own */
  routes?: readonly Route[];
  /** hard dependencies, for `/ready` */
  checks?: () => Promise<ReadyCheck[]>;
  /** tests and agents with needs of their own bring theirs */
  logs?: LogHandle;
  metrics?: Metrics;
  heartbeatMs?: number;
  drainMs?: number;
};

export type Agent = Service & { logs: LogHandle; instance: string; routes: Route[]; port(): number };

const defaultTimeoutMs = 30_000;

/** With what follows it (closing connections, flushing the log) this stays under the 25 s of a shutdown. */
const defaultDrainMs = 17_000;
const leaveDeadlineMs = 1_000;
const closeGraceMs = 1_000;

/** Builds the agent; nothing listens and nothing is registered before `start`. */
export function serveAgent(options: AgentOptions): Agent {
  const { settings, name } = options;
  // Drawn per boot: the same name on the same machine is another instance after a restart.
  const instance = `${name}-${randomBytes(4).toString("hex")}`;
  const logs = options.logs ?? openLog(settings, name, instance);
  const metrics = openMetrics(options, logs);
  const spans = openSpans(settings, { service: name, version: options.version, instance }, logs.log);
  const calls = buildAgentCalls({ url: settings.ORCHESTRATOR_URL, internalKey: settings.INTERNAL_KEY });
  const inFlight = trackInFlight();
  const stopping = new AbortController();
  const killed = new AbortController();
  const onEnd = countRuns(metrics, inFlight);
  const kit: RunKit = { name, log: logs.log, calls, inFlight, killed: killed.signal, onEnd };
  let listening: Listening | null = null;

  const heartbeat = buildHeartbeatLoop({
    calls,
    instance: { name, instance, types: options.types.map(toAgentType) },
    url: () => settings.PUBLIC_URL?.replace(/\/+$/, "") ?? localUrl(settings.HOST, listening?.port ?? settings.PORT),
    log: logs.log,
    ...(options.heartbeatMs !== undefined && { everyMs: options.heartbeatMs }),
  });
  const { app, routes } = buildHttp({
    service: name,
    version: options.version,
    routes: [
      ...buildRunRoutes(options.types, (spec, input) => {
        if (stopping.signal.aborted) throw unavailable("This agent is stopping; ask another one.", 1);
        return startRun(kit, toRunCall(spec, input));
      }),
      ...(options.routes ?? []),
    ],
    credentials: credentialsOf(settings),
    allowedOrigins: settings.WS_ALLOWED_ORIGINS,
    log: logs.log,
    report: options.report,
    metrics,
    spans,
    isHealthy: heartbeat.isConnected,
    ...(options.checks && { checks: options.checks }),
  });
  let beating: Promise<void> | null = null;

  return {
    logs,
    instance,
    routes,
    port: () => listening?.port ?? settings.PORT,
    async start() {
      listening = await listen(app, { port: settings.PORT, host: settings.HOST });
      logs.log.info({ port: listening.port, instance }, "listening");
      beating = heartbeat.run(stopping.signal);
    },
    async stop() {
      stopping.abort();
      await withDeadline(beating ?? Promise.resolve(), leaveDeadlineMs, "the last heartbeat").catch(ignoreAbsence);
      await withDeadline(heartbeat.leave(), leaveDeadlineMs, "leaving").catch(ignoreAbsence);
      await withDeadline(inFlight.idle(), options.drainMs ?? defaultDrainMs, "draining").catch(() => killed.abort());
      await listening?.close(closeGraceMs);
      await Promise.all([calls.close(), spans.close()]);
      logs.log.info("stopped");
      await logs.close();
    },
  };
}

/** An orchestrator that is away learns of our end by the missing heartbeats. */
function ignoreAbsence(): void {
  return;
}

function openLog(settings: AgentSettings, service: string, instance: string): LogHandle {
  return buildLog({
    service,
    level: settings.LOG_LEVEL,
    format: settings.LOG_FORMAT,
    redaction: { keys: settings.LOG_REDACT_KEYS, patterns: settings.LOG_REDACT_PATTERNS },
    runId: settings.RUN_ID ?? instance,
    delivery: {
      url: settings.LOGGING_URL,
      internalKey: settings.INTERNAL_KEY,
      spoolDir: settings.SPOOL_DIR ?? null,
    },
  });
}

function openMetrics(options: AgentOptions, logs: LogHandle): Metrics {
  const opened = options.metrics ?? buildMetrics(options.name);
  observeLog(opened, logs);
  return opened;
}

function credentialsOf(settings: AgentSettings) {
  const { BASIC_AUTH_USER, BASIC_AUTH_PASS, INTERNAL_KEY, INTERNAL_KEY_PREVIOUS } = settings;
  const internalKeys = INTERNAL_KEY_PREVIOUS === undefined ? [INTERNAL_KEY] : [INTERNAL_KEY, INTERNAL_KEY_PREVIOUS];
  return { user: BASIC_AUTH_USER, pass: BASIC_AUTH_PASS, internalKeys };
}

function toAgentType({ run: _run, payloadSchema, ...type }: RunnableType): AgentType {
  return payloadSchema ? { ...type, payloadSchema: withoutIds(payloadSchema) } : type;
}

/** An address that listens everywhere is no address to call. */
function localUrl(host: string, port: number): string {
  const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

function countRuns(metrics: Metrics, inFlight: { count: number }): RunKit["onEnd"] {
  const runs = metrics.histogram("agent_run_duration_seconds", "Time of one run, by task type and outcome", {
    labelNames: ["type", "outcome"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
  });
  metrics.gauge("agent_runs_running", "Runs under way", { collect: (gauge) => gauge.set(inFlight.count) });
  return (type, outcome, durationMs) => runs.observe({ type, outcome }, durationMs / 1_000);
}

function toRunCall(spec: RunnableType, input: RouteInput<undefined, undefined, RunCallBody>): RunCall {
  const { body, headers } = input;
  const attempt = body.attempt ?? 1;
  const lease = headers["x-task-lease"];
  const trace = {
    ...input.trace,
    traceId: body.traceId ?? input.trace.traceId,
    correlationId: body.correlationId ?? input.trace.correlationId,
    taskId: body.taskId ?? null,
    taskType: spec.type,
    concurrencyKey: readKey(headers["x-concurrency-key"]),
  };
  const fence = body.taskId
    ? { taskId: body.taskId, attempt, leaseId: typeof lease === "string" ? lease : null, trace }
    : null;
  return {
    type: spec.type,
    payload: body.payload,
    input: body.input,
    attempt,
    fence,
    trace,
    deadline: toDeadline(body.deadline, spec.timeoutMs ?? defaultTimeoutMs),
    clientGone: input.signal,
    run: (context) => spec.run(context),
  };
}

function readKey(header: string | string[] | undefined): string | null {
  return typeof header === "string" && header !== "" ? fromHeaderText(header) : null;
}

/**
 * The orchestrator sends no run that is already over: a deadline in the past means that one of the clocks is wrong, and
 * then the closing of the request is what ends the run.
 */
function toDeadline(text: string | undefined, timeoutMs: number): Date {
  const at = text === undefined ? 0 : Date.parse(text);
  return at > Date.now() ? new Date(at) : new Date(Date.now() + timeoutMs);
}
