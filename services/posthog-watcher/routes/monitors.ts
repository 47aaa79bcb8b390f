import { Instant, List, Nullable } from "@signalbox/common/contracts/primitives.ts";
import { ApiError, invalidInput, invalidRequest, notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { takePart, WholeListQuery } from "@signalbox/common/whole-list.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import type { KnownMonitor } from "../loops/monitor-book.ts";
import { blindAfter, MonitorDefinition, toMonitor } from "../monitor.ts";
import { PosthogError } from "../posthog-failure.ts";
import { UnreadableError } from "../query-rows.ts";
import type { Precision } from "../store/findings.ts";
import type { MonitorState } from "../store/states.ts";

const closed = { additionalProperties: false } as const;
const MonitorName = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 100, pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$" }) },
  closed,
);

/** How a monitor is: whether it sees, and how far it has come. */
const Health = Type.Object(
  {
    state: Type.Enum(["off", "new", "ok", "waiting", "failing", "blind", "invalid"]),
    judgedUntil: Nullable(Instant),
    lastRunAt: Nullable(Instant),
    lastSuccessAt: Nullable(Instant),
    failures: Type.Integer(),
    error: Nullable(Type.String()),
    episodes: Type.Integer({ description: "series that are in an incident now" }),
  },
  closed,
);

const Monitor = Type.Object(
  {
    name: Type.String(),
    origin: Type.Enum(["file", "database"]),
    version: Type.Integer({ minimum: 1 }),
    definition: MonitorDefinition,
    updatedBy: Nullable(Type.String()),
    updatedAt: Nullable(Instant),
    health: Health,
    precision: Type.Object(
      {
        told: Type.Integer(),
        declined: Type.Integer(),
        precision: Nullable(Type.Number({ description: "of 90 days" })),
      },
      closed,
    ),
    suggestion: Nullable(Type.String({ description: "what people's answers suggest; nothing changes by itself" })),
  },
  closed,
);

export const listMonitors = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/monitors",
    auth: "any",
    summary: "Every monitor with its origin, its health and how often it was right",
    query: WholeListQuery,
    replies: { 200: List(Monitor) },
    async handle({ query }) {
      const [known, facts] = await Promise.all([context.book.list(), readFacts(context)]);
      const { items, nextCursor } = takePart(known, query, ({ name }) => name);
      return { status: 200, body: { items: items.map((one) => toView(one, facts)), nextCursor } };
    },
  });

export const getMonitor = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/monitors/:name",
    auth: "any",
    summary: "One monitor; its ETag is what replaces it",
    params: MonitorName,
    replies: { 200: Monitor },
    async handle({ params }) {
      const known = await findMonitor(context, params.name);
      return { status: 200, body: toView(known, await readFacts(context)), etag: known.version };
    },
  });

export const putMonitor = (context: Context) =>
  defineRoute({
    method: "PUT",
    path: "/monitors/:name",
    auth: "any",
    summary: "Make a monitor, or replace the one that you saw (If-Match); it wins over a file of the same name",
    params: MonitorName,
    body: MonitorDefinition,
    replies: { 200: Monitor, 201: Monitor },
    async handle({ params: { name }, body, headers, actor }) {
      const problems = context.checkDefinition(name, body);
      if (problems.length > 0) throw invalidInput(problems);
      const known = await context.book.find(name);
      const seen = parseSeen(headers["if-match"], known);
      const first = (known?.version ?? 0) + 1;
      const version = known?.origin === "database" ? seen : null;
      const stored = await context.kit.store.monitors.putMonitor({ name, definition: body, version, first, by: actor });
      if (stored === null) throw conflict((await context.book.find(name))?.version ?? null);
      context.ring();
      const now: KnownMonitor = { ...stored, origin: "database", problem: null };
      const status = known === null ? 201 : 200;
      return {
        status,
        body: toView(now, await readFacts(context)),
        etag: stored.version,
        location: `/monitors/${name}`,
      };
    },
  });

/** The version that is replaced; null when there is nothing to replace. @throws ApiError 428, 409, 400 */
function parseSeen(header: string | undefined, known: KnownMonitor | null): number | null {
  const found = header === undefined ? null : /^"(\d{1,9})"$/.exec(header.trim());
  if (header !== undefined && found === null) throw invalidRequest("", 'has an If-Match that is not "<version>"');
  const seen = found === null ? null : Number(found[1]);
  if (known === null) {
    if (seen !== null) throw conflict(null);
    return null;
  }
  if (seen === null) {
    throw new ApiError(
      "precondition_required",
      `There is a monitor of this name; say which version you saw: If-Match: "${known.version}" after a look at it.`,
    );
  }
  if (seen !== known.version) throw conflict(known.version);
  return seen;
}

function conflict(currentVersion: number | null): ApiError {
  const what = currentVersion === null ? "there is no such monitor" : `it is at version ${currentVersion}`;
  return new ApiError("version_conflict", `The monitor is not the one that you saw: ${what}.`, {
    details: [{ currentVersion }],
  });
}

async function findMonitor({ book }: Context, name: string): Promise<KnownMonitor> {
  const known = await book.find(name);
  if (known === null) throw notFound("monitor", name);
  return known;
}

type Facts = { states: MonitorState[]; precisions: Precision[] };

const quarterMs = 90 * 86_400_000;

async function readFacts({ kit }: Context): Promise<Facts> {
  const [states, precisions] = await Promise.all([
    kit.store.states.listStates(),
    kit.store.findings.listPrecisions(kit.clock() - quarterMs),
  ]);
  return { states, precisions };
}

function toView({ problem, ...known }: KnownMonitor, { states, precisions }: Facts) {
  const state = states.find(({ monitor }) => monitor === known.name) ?? null;
  const { told = 0, declined = 0, notInteresting = 0 } = precisions.find(({ monitor }) => monitor === known.name) ?? {};
  const precision = told === 0 ? null : Number(((told - declined) / told).toFixed(2));
  return {
    ...known,
    health: toHealth(known, { state, problem }),
    precision: { told, declined, precision },
    suggestion: notInteresting >= 3 ? suggest(known) : null,
  };
}

function suggest({ name, definition }: Pick<KnownMonitor, "name" | "definition">): string {
  const { score } = toMonitor(name, definition).rule;
  return `"not interesting" was said three times or more; a trigger.score of ${Number((1.3 * score).toFixed(1))} instead of ${score} would say less`;
}

const instantOf = (ms: number | null | undefined) => (ms == null ? null : new Date(ms).toISOString());

function toHealth(
  { definition }: Pick<KnownMonitor, "definition">,
  { state, problem }: { state: MonitorState | null; problem: string | null },
) {
  return {
    state: problem !== null ? ("invalid" as const) : definition.enabled === false ? ("off" as const) : sightOf(state),
    judgedUntil: instantOf(state?.judgedUntil),
    lastRunAt: instantOf(state?.ranAt),
    lastSuccessAt: instantOf(state?.succeededAt),
    failures: state?.failures ?? 0,
    error: problem ?? state?.error ?? null,
    episodes: Object.values(state?.tracks ?? {}).filter(({ phase }) => phase === "episode").length,
  };
}

function sightOf(state: MonitorState | null) {
  if (state === null || (state.judgedUntil === null && state.failures === 0)) return "new" as const;
  if (state.failures >= blindAfter) return "blind" as const;
  return state.failures > 0 ? ("failing" as const) : ("ok" as const);
}

const DryRun = Type.Object(
  {
    definition: Type.Optional(MonitorDefinition),
    from: Type.Optional(Type.String({ format: "date-time", description: "default: 30 days before `to`" })),
    to: Type.Optional(Type.String({ format: "date-time", description: "default: now" })),
  },
  closed,
);

const monthMs = 30 * 86_400_000;
const longestMs = 366 * 86_400_000;

export const dryRunMonitor = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/monitors/:name/dry-run",
    auth: "any",
    summary: "When it would have fired over past data, as it is or with another definition; nothing is kept or told",
    params: MonitorName,
    body: DryRun,
    bodyOptional: true,
    replies: { 200: Type.Unknown() },
    async handle({ params: { name }, body, signal }) {
      const definition = body.definition ?? (await findMonitor(context, name)).definition;
      const problems = context.checkDefinition(name, definition);
      if (problems.length > 0)
        throw invalidInput(problems.map(({ path, message }) => ({ path: `/definition${path}`, message })));
      const to = body.to === undefined ? context.kit.clock() : Date.parse(body.to);
      const from = body.from === undefined ? to - monthMs : Date.parse(body.from);
      if (from >= to || to - from > longestMs)
        throw invalidRequest("/from", "must lie before to, by a year at the most");
      const wish = { monitor: toMonitor(name, definition), from, to };
      return { status: 200, body: await context.forecast(wish, signal).catch(explain) };
    },
  });

/** @throws ApiError */
function explain(error: unknown): never {
  if (error instanceof UnreadableError || (error instanceof PosthogError && error.kind === "wrong")) {
    throw invalidRequest("/definition", `cannot be read: ${error.message}`);
  }
  if (error instanceof PosthogError)
    throw new ApiError("unavailable", `PostHog tells nothing: ${error.message}`, { cause: error });
  throw error;
}
