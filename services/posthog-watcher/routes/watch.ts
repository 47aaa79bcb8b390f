import { Instant, Nullable, Uuid } from "@signalbox/common/contracts/primitives.ts";
import { invalidRequest, notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import type { Run } from "../store/runs.ts";
import { waitForRun } from "./wait-for-run.ts";

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 100 });

const RunView = Type.Object(
  {
    runId: Uuid,
    monitor: Nullable(Type.String()),
    state: Type.Enum(["queued", "done", "failed"]),
    outcome: Type.Unknown(),
    askedAt: Instant,
    endedAt: Nullable(Instant),
  },
  closed,
);

function toView({ id, monitor, state, outcome, askedAt, endedAt }: Run) {
  return { runId: id, monitor, state, outcome, askedAt, endedAt };
}

const mostWaitSeconds = 60;

export const askForRun = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/watch/run",
    auth: "any",
    summary: "Look now, at all monitors or one; `Prefer: wait=N` answers when it is done or N seconds have passed",
    body: Type.Object({ monitor: Type.Optional(Name) }, closed),
    bodyOptional: true,
    replies: { 202: RunView },
    async handle({ body, actor, headers, signal }) {
      const monitor = body.monitor ?? null;
      if (monitor !== null && (await context.book.find(monitor)) === null) throw notFound("monitor", monitor);
      const id = await context.kit.store.runs.askForRun({ monitor, reason: "asked", actor });
      context.ring();
      const seconds = parseWait(headers.prefer);
      const run =
        seconds === 0
          ? await context.kit.store.runs.findRun(id)
          : await waitForRun(context.kit.store, { id, seconds, signal });
      if (run === null) throw notFound("run", id);
      return { status: 202, body: toView(run), location: `/watch/runs/${id}` };
    },
  });

/** @throws ApiError 400 */
function parseWait(prefer: string | string[] | undefined): number {
  const found = /(?:^|,)\s*wait=(\d{1,4})\s*(?:,|$)/.exec([prefer ?? ""].flat().join(","));
  const seconds = Number(found?.[1] ?? 0);
  if (seconds > mostWaitSeconds) throw invalidRequest("", `has a Prefer: wait of more than ${mostWaitSeconds} s`);
  return seconds;
}

export const getRun = ({ kit }: Context) =>
  defineRoute({
    method: "GET",
    path: "/watch/runs/:id",
    auth: "any",
    summary: "A run that was asked for, and what came of it",
    params: Type.Object({ id: Uuid }, closed),
    replies: { 200: RunView },
    async handle({ params }) {
      const run = await kit.store.runs.findRun(params.id);
      if (run === null) throw notFound("run", params.id);
      return { status: 200, body: toView(run) };
    },
  });

export const getStatus = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/watch/status",
    auth: "any",
    summary: "How the watcher itself is: its mode, its lead, its sight and its budget",
    replies: { 200: Type.Unknown() },
    async handle() {
      const { kit } = context;
      const [states, stop, monitors] = await Promise.all([
        kit.store.states.listStates(),
        kit.store.memory.findMemory("stop"),
        context.book.list(),
      ]);
      const names = new Set(monitors.map(({ name }) => name));
      const own = states.filter(({ monitor }) => names.has(monitor));
      const { lastRunAt, lastOutcome, canReadFlags } = context.status();
      const { minute, hour, closedUntil } = kit.posthog.budget();
      const body = {
        mode: kit.mode,
        stopped: stop?.value ?? { isStopped: false },
        isLeading: context.isLeading(),
        monitors: names.size,
        failing: own
          .filter(({ failures }) => failures > 0)
          .map(({ monitor, failures, error }) => ({ monitor, failures, error })),
        lastRunAt: lastRunAt === null ? null : new Date(lastRunAt).toISOString(),
        lastOutcome,
        canReadFlags,
        requestsLeft: { minute: Math.floor(minute), hour: Math.floor(hour) },
        closedUntil: closedUntil > kit.clock() ? new Date(closedUntil).toISOString() : null,
      };
      return { status: 200, body };
    },
  });

const Stopped = Type.Object({ isStopped: Type.Boolean(), why: Nullable(Type.String()), at: Instant }, closed);

export const stopExecuting = (context: Context) =>
  brake(context, {
    path: "/watch/stop",
    isStopped: true,
    summary: "The brake: nothing is executed unasked any more; what is under way ends",
  });
export const resumeExecuting = (context: Context) =>
  brake(context, { path: "/watch/resume", isStopped: false, summary: "Lets mode execute go on" });

type Brake = { path: string; isStopped: boolean; summary: string };

function brake({ kit }: Context, { path, isStopped, summary }: Brake) {
  return defineRoute({
    method: "POST",
    path,
    auth: "any",
    summary,
    body: Type.Object({ reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })) }, closed),
    bodyOptional: true,
    replies: { 200: Stopped },
    async handle({ body, actor }) {
      const value = { isStopped, why: body.reason ?? null, at: new Date(kit.clock()).toISOString() };
      await kit.store.memory.keepMemory({ key: "stop", value, by: actor });
      kit.log.warn({ actor, ...value }, isStopped ? "executing was stopped" : "executing may go on");
      return { status: 200, body: value };
    },
  });
}
