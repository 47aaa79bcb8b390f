import { Cursor } from "@signalbox/common/contracts/primitives.ts";
import { CreateSchedule, PatchSchedule, Schedule, ScheduleList } from "@signalbox/common/contracts/schedule.ts";
import { Task } from "@signalbox/common/contracts/task.ts";
import { ApiError, invalidRequest, notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { isSameTiming, judgeTiming, nextFireMs, type ScheduleFields, toTiming } from "../schedule.ts";
import { findSecretMembers } from "../secret-members.ts";
import { TaskId } from "./task-id.ts";

export const createSchedule = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/schedules",
    auth: "any",
    summary: "Make tasks by the clock: cron, every so many seconds, or once",
    body: CreateSchedule,
    replies: { 201: Schedule },
    async handle({ body, actor }) {
      const fields = toFields(body, null);
      await checkTask(context, fields);
      const nowMs = await context.store.readClock();
      const nextMs = planNext(fields, nowMs, nowMs);
      const schedule = await context.store.insertSchedule(uuidv7(), fields, { by: actor, nextMs, nowMs });
      context.scheduled();
      return { status: 201, body: schedule, location: `/schedules/${schedule.id}` };
    },
  });

const Page = Type.Object(
  { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })), cursor: Type.Optional(Cursor) },
  { additionalProperties: false },
);

export const listSchedules = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/schedules",
    auth: "any",
    summary: "Schedules, newest first",
    query: Page,
    replies: { 200: ScheduleList },
    async handle({ query }) {
      return { status: 200, body: await store.listSchedules({ limit: query.limit ?? 50, cursor: query.cursor }) };
    },
  });

export const getSchedule = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/schedules/:id",
    auth: "any",
    summary: "One schedule with its next and last fire",
    params: TaskId,
    replies: { 200: Schedule },
    async handle({ params }) {
      const schedule = await store.findSchedule(params.id);
      if (schedule === null) throw notFound("schedule", params.id);
      return { status: 200, body: schedule };
    },
  });

export const patchSchedule = (context: Context) =>
  defineRoute({
    method: "PATCH",
    path: "/schedules/:id",
    auth: "any",
    summary: "Change, pause (enabled: false) or resume a schedule",
    params: TaskId,
    body: PatchSchedule,
    replies: { 200: Schedule },
    async handle({ params, body }) {
      const known = await context.store.findSchedule(params.id);
      if (known === null) throw notFound("schedule", params.id);
      // One that can make no task any more can still be renamed, and above all paused.
      if (body.task !== undefined || body.enabled === true) await checkTask(context, toFields(body, known));
      const changed = await context.store.changeSchedule(params.id, (current, nowMs) => {
        const fields = toFields(body, current);
        // What was due at a certain moment stays so, unless its timing is another or it was paused.
        if (!isSameTiming(fields, current)) return { fields, nextMs: planNext(fields, nowMs, nowMs) };
        if (current.nextAt !== null) return { fields, nextMs: Date.parse(current.nextAt) };
        const isSpent = current.at !== null && Date.parse(current.at) <= nowMs;
        return { fields, nextMs: isSpent ? null : planNext(fields, nowMs, nowMs) };
      });
      if (changed === null) throw notFound("schedule", params.id);
      context.scheduled();
      return { status: 200, body: changed };
    },
  });

export const deleteSchedule = ({ store }: Context) =>
  defineRoute({
    method: "DELETE",
    path: "/schedules/:id",
    auth: "any",
    summary: "Delete a schedule; the tasks that it made stay",
    params: TaskId,
    replies: { 204: Type.Null() },
    async handle({ params }) {
      if (!(await store.deleteSchedule(params.id))) throw notFound("schedule", params.id);
      return { status: 204 };
    },
  });

export const runSchedule = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/schedules/:id/run",
    auth: "any",
    summary: "Fire a schedule now, besides its own times",
    params: TaskId,
    body: Type.Object({}, { additionalProperties: false }),
    bodyOptional: true,
    replies: { 201: Task },
    async handle({ params, actor, principal }) {
      const schedule = await context.store.findSchedule(params.id);
      if (schedule === null) throw notFound("schedule", params.id);
      const task = await context.scheduler.toTask(schedule, actor, principal?.kind === "person");
      if ("failed" in task)
        throw new ApiError("unsupported_task_type", `The task of this schedule cannot be made: ${task.failed}`);
      const made = await context.insertTask(task);
      if (made === null) throw new Error("a task without an idempotency key was not stored");
      await context.store.noteManualFire(schedule.id, made.id);
      return { status: 201, body: made, etag: made.version, location: `/task/${made.id}` };
    },
  });

/** The whole of a schedule: what the body says laid over what there is. @throws ApiError 400 unless exactly one timing is left */
function toFields(body: CreateSchedule | PatchSchedule, current: Schedule | null): ScheduleFields {
  const base = current ?? blank;
  const when = countTimings(body) > 0 ? { cron: null, everySeconds: null, at: null } : {};
  const given: ScheduleFields = { ...base, ...when, ...withoutUndefined(body) };
  // As UTC: PostgreSQL refuses offsets of 16 h and more, which are good RFC 3339.
  const fields = { ...given, at: given.at === null ? null : new Date(given.at).toISOString() };
  if (countTimings(fields) !== 1) throw invalidRequest("", 'must have exactly one of "cron", "everySeconds" and "at"');
  const problem = judgeTiming(fields);
  if (problem !== null) throw invalidRequest(`/${problem.member}`, problem.message);
  return fields;
}

function countTimings({ cron, everySeconds, at }: Partial<Record<"cron" | "everySeconds" | "at", unknown>>): number {
  return [cron, everySeconds, at].filter((value) => value !== undefined && value !== null).length;
}

const blank: ScheduleFields = {
  name: "",
  cron: null,
  everySeconds: null,
  at: null,
  timezone: "UTC",
  task: { type: "" },
  missed: "skip",
  enabled: true,
};

function withoutUndefined<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
}

/** @throws ApiError 400 for a moment that is past */
function planNext(fields: ScheduleFields, nowMs: number, anchorMs: number): number | null {
  const nextMs = nextFireMs(toTiming(fields, anchorMs), nowMs);
  if (fields.at !== null && nextMs === null) throw invalidRequest("/at", "lies in the past");
  return nextMs;
}

/** A schedule whose task could not be made would fail at night; so it is tried now. */
async function checkTask({ catalog, store }: Context, { task }: ScheduleFields): Promise<void> {
  const type = await catalog.find(task.type);
  if (type === null) {
    throw new ApiError(
      "unsupported_task_type",
      `No agent has ever registered the type "${task.type}"; GET /task-types lists those that are known.`,
    );
  }
  if (task.parentId !== undefined && (await store.findTask(task.parentId)) === null)
    throw invalidRequest("/task/parentId", "names a task that does not exist");
  const payload = task.payload === undefined ? {} : task.payload;
  catalog.checkPayload(type, payload);
  const [secret] = type.payloadSchema === null ? [] : findSecretMembers(type.payloadSchema, payload);
  if (secret !== undefined) {
    throw invalidRequest(
      `/task/payload${secret}`,
      "is a secret, which a schedule would show to everybody; leave it to the agent's settings",
    );
  }
}
