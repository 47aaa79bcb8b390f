import { type Static, Type } from "typebox";
import { Instant, List, Nullable, Uuid } from "./primitives.ts";
import { CreateTask } from "./task.ts";

const closed = { additionalProperties: false } as const;

export const missedPolicies = ["skip", "once", "all"] as const;
export type MissedPolicy = (typeof missedPolicies)[number];

/** What a schedule makes; its time is the schedule's to say. */
const { runAt: _runAt, ...scheduledTask } = CreateTask.properties;
export const ScheduledTask = Type.Object(scheduledTask, closed);
export type ScheduledTask = Static<typeof ScheduledTask>;

const Name = Type.String({ minLength: 1, maxLength: 200 });
const CronText = Type.String({ minLength: 1, maxLength: 200, description: "cron expression of five or six fields" });
const EverySeconds = Type.Integer({ minimum: 1, maximum: 31_536_000 });
const Timezone = Type.String({
  minLength: 1,
  maxLength: 100,
  description: "IANA name, such as Europe/Berlin; default UTC",
});
const Missed = Type.Enum([...missedPolicies], {
  description: "what becomes of fires that nobody was there for: none, one, or all of them; default skip",
});

/** One of `cron`, `everySeconds` and `at` says when. */
export const CreateSchedule = Type.Object(
  {
    name: Name,
    cron: Type.Optional(Nullable(CronText)),
    everySeconds: Type.Optional(Nullable(EverySeconds)),
    at: Type.Optional(Nullable(Instant)),
    timezone: Type.Optional(Timezone),
    task: ScheduledTask,
    missed: Type.Optional(Missed),
    enabled: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type CreateSchedule = Static<typeof CreateSchedule>;

export const PatchSchedule = Type.Object(
  {
    name: Type.Optional(Name),
    cron: Type.Optional(Nullable(CronText)),
    everySeconds: Type.Optional(Nullable(EverySeconds)),
    at: Type.Optional(Nullable(Instant)),
    timezone: Type.Optional(Timezone),
    task: Type.Optional(ScheduledTask),
    missed: Type.Optional(Missed),
    enabled: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type PatchSchedule = Static<typeof PatchSchedule>;

export const Schedule = Type.Object(
  {
    id: Uuid,
    name: Type.String(),
    cron: Nullable(Type.String()),
    everySeconds: Nullable(Type.Integer()),
    at: Nullable(Instant),
    timezone: Type.String(),
    task: ScheduledTask,
    missed: Type.Enum([...missedPolicies]),
    enabled: Type.Boolean(),
    nextAt: Nullable(Instant),
    lastFiredAt: Nullable(Instant),
    lastTaskId: Nullable(Uuid),
    lastError: Nullable(Type.String({ description: "why its last fire made no task" })),
    createdAt: Instant,
    updatedAt: Instant,
  },
  { ...closed, $id: "Schedule" },
);
export type Schedule = Static<typeof Schedule>;
export const ScheduleList = List(Schedule);
