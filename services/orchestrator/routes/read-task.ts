import { TaskEvent } from "@signalbox/common/contracts/event.ts";
import { Cursor, List } from "@signalbox/common/contracts/primitives.ts";
import { TaskList, TaskQuery, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import { notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { explainWhy } from "../why.ts";
import { TaskId } from "./task-id.ts";

/** More events than this are read with `/task/:id/events`. */
const maxEvents = 5_000;

export const getTask = ({ store, roster, dispatcher }: Context) =>
  defineRoute({
    method: "GET",
    path: "/task/:id",
    aliases: ["/tasks/:id"],
    auth: "any",
    summary: "One task with its events in order and, while it does not run, why",
    params: TaskId,
    replies: { 200: TaskWithEvents },
    async handle({ params }) {
      const found = await store.findTaskWithEvents(params.id, maxEvents);
      if (found === null) throw notFound("task", params.id);
      const { task, events } = found;
      const isOpen = task.status === "queued" || task.status === "waiting";
      const routing = { agents: roster.agents(), circuits: dispatcher.load().circuits };
      const why = isOpen ? explainWhy(task, await store.explainWait(task.id), routing) : undefined;
      const body = { ...task, events, ...(why && { why }) };
      return { status: 200, body, etag: task.version };
    },
  });

export const listTasks = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/tasks",
    auth: "any",
    summary: "Tasks, newest first, by any of the filters",
    query: TaskQuery,
    replies: { 200: TaskList },
    async handle({ query }) {
      return { status: 200, body: await store.listTasks(query) };
    },
  });

const EventQuery = Type.Object(
  { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })), cursor: Type.Optional(Cursor) },
  { additionalProperties: false },
);

export const listEvents = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/task/:id/events",
    aliases: ["/tasks/:id/events"],
    auth: "any",
    summary: "A task's timeline, oldest first",
    params: TaskId,
    query: EventQuery,
    replies: { 200: List(TaskEvent) },
    async handle({ params, query }) {
      const [after] = query.cursor === undefined ? [0] : decodeCursor(query.cursor, ["integer"]);
      const limit = query.limit ?? 200;
      const { rows, more } = await store.listEvents(params.id, { after, limit });
      if (rows.length === 0 && (await store.findTask(params.id)) === null) throw notFound("task", params.id);
      const last = rows.at(-1);
      const nextCursor = more && last ? encodeCursor([last.seq]) : null;
      return { status: 200, body: { items: rows.map(({ event }) => event), nextCursor } };
    },
  });
