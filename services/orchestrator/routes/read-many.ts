import { Instant, TraceId } from "@signalbox/common/contracts/primitives.ts";
import { TaskStats } from "@signalbox/common/contracts/stats.ts";
import { TaskTree, TraceTree } from "@signalbox/common/contracts/trace.ts";
import { invalidRequest, notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { toTaskTree, toTraceTree } from "../trace-tree.ts";
import { bucketWidthMs, parseWindow } from "../window.ts";
import { TaskId } from "./task-id.ts";

const maxTreeTasks = 1_000;
const cutNote = `Not all tasks below this one are shown: there are more than ${maxTreeTasks}, or they are large; GET /tasks?parentId=… lists the children of one.`;
const maxTraceEvents = 10_000;

export const getTaskTree = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/task/:id/tree",
    aliases: ["/tasks/:id/tree"],
    auth: "any",
    summary: "A task with everything below it",
    params: TaskId,
    replies: { 200: TaskTree },
    async handle({ params }) {
      const { items, isCut } = await store.listTree(params.id, maxTreeTasks);
      const tree = toTaskTree(items, params.id.toLowerCase());
      if (tree === null) throw notFound("task", params.id);
      return { status: 200, body: isCut ? { ...tree, notes: [cutNote] } : tree };
    },
  });

const StatsQuery = Type.Object(
  {
    window: Type.Optional(Type.String({ maxLength: 10, description: "such as 15m, 1h or 7d; default 1h" })),
    until: Type.Optional(Instant),
  },
  { additionalProperties: false },
);

export const getTaskStats = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/tasks/stats",
    auth: "any",
    summary: "Counts, wait and run times, success rates and a histogram of the tasks that were created in a window",
    query: StatsQuery,
    replies: { 200: TaskStats },
    async handle({ query }) {
      const windowMs = parseWindow(query.window ?? "1h");
      if (windowMs === null)
        throw invalidRequest("/window", "must be a number with s, m, h or d, such as 15m or 1h, of a year at the most");
      const untilMs = query.until === undefined ? await store.readClock() : Date.parse(query.until);
      const span = { sinceMs: untilMs - windowMs, untilMs };
      const bucketMs = bucketWidthMs(windowMs);
      const stats = await store.readTaskStats(span, bucketMs);
      const since = new Date(span.sinceMs).toISOString();
      return { status: 200, body: { since, until: new Date(untilMs).toISOString(), bucketMs, ...stats } };
    },
  });

export const getTrace = ({ store, logs }: Context) =>
  defineRoute({
    method: "GET",
    path: "/trace/:traceId",
    auth: "any",
    summary: "One tree of everything with a trace: tasks, events, agent calls and logs",
    params: Type.Object({ traceId: TraceId }, { additionalProperties: false }),
    replies: { 200: TraceTree },
    async handle({ params: { traceId }, signal }) {
      const [tasks, found] = await Promise.all([
        store.listTraceTasks(traceId, maxTreeTasks),
        logs.findByTrace(traceId, signal),
      ]);
      const events = await store.listEventsOf(
        tasks.items.map((task) => task.id),
        maxTraceEvents,
      );
      if (tasks.items.length === 0 && found.logs.length === 0) throw notFound("trace", traceId);
      const notes = found.note === null ? [] : [found.note];
      if (tasks.isCut) notes.push(`only the first ${tasks.items.length} tasks are shown`);
      if (events.isCut) notes.push(`only the first ${events.items.length} events are shown`);
      const parts = { traceId, tasks: tasks.items, events: events.items, logs: found.logs, notes };
      return { status: 200, body: toTraceTree(parts) };
    },
  });
