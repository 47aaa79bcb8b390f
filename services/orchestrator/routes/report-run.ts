import { ProgressReport } from "@signalbox/common/contracts/agent.ts";
import { Instant } from "@signalbox/common/contracts/primitives.ts";
import { ApiError, notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { leaseMs } from "../lease.ts";
import { TaskId, toAttempt } from "./task-id.ts";

const closed = { additionalProperties: false } as const;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const reportProgress = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/task/:id/progress",
    aliases: ["/tasks/:id/progress"],
    auth: "internal",
    summary: "An agent's progress; renews the lease",
    params: TaskId,
    body: ProgressReport,
    replies: { 200: Type.Object({ version: Type.Integer(), leaseUntil: Instant }, closed) },
    async handle({ params, body, headers }) {
      const message = context.hide(body.message);
      const note = { message, percent: body.percent ?? null, agentName: body.agentName ?? null };
      const lease = headers["x-task-lease"];
      const leaseId = typeof lease === "string" && uuid.test(lease) ? lease : null;
      const renewed = await context.store.reportProgress(
        { taskId: params.id, attempt: toAttempt(body.attempt), leaseId },
        note,
        leaseMs,
      );
      if (renewed === null) throw await toLost(context, params.id, { attempt: body.attempt, what: "progress" });
      context.changed({});
      return { status: 200, body: renewed, etag: renewed.version };
    },
  });

export const noteAgentEvent = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/task/:id/events",
    aliases: ["/tasks/:id/events"],
    auth: "internal",
    summary: "What an agent did outside, for the audit",
    params: TaskId,
    body: Type.Object(
      {
        attempt: Type.Integer({ minimum: 1 }),
        kind: Type.Enum(["side_effect", "note"]),
        data: Type.Record(Type.String(), Type.Unknown()),
      },
      closed,
    ),
    replies: { 201: Type.Object({ noted: Type.Boolean() }, closed) },
    async handle({ params, body }) {
      const isNoted = await context.store.noteAgentEvent(
        { taskId: params.id, attempt: toAttempt(body.attempt) },
        { kind: body.kind, data: context.hide(body.data) },
      );
      if (!isNoted) throw await toLost(context, params.id, null);
      context.changed({});
      return { status: 201, body: { noted: true } };
    },
  });

export const noteFromOutside = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/task/:id/notes",
    aliases: ["/tasks/:id/notes"],
    auth: "internal",
    summary: "What a service that does not run the task did outside because of it, for the audit; also after its end",
    params: TaskId,
    body: Type.Object(
      { kind: Type.Enum(["side_effect", "note"]), data: Type.Record(Type.String(), Type.Unknown()) },
      closed,
    ),
    replies: { 201: Type.Object({ noted: Type.Boolean() }, closed) },
    async handle({ params, body, actor }) {
      const isNoted = await context.store.noteFromOutside(params.id, {
        kind: body.kind,
        data: context.hide(body.data),
        actor,
      });
      if (!isNoted) throw notFound("task", params.id);
      context.changed({});
      return { status: 201, body: { noted: true } };
    },
  });

/** The task does not exist, or that attempt does not run; the latter is written down when it was a result. */
async function toLost(context: Context, id: string, late: { attempt: number; what: string } | null): Promise<ApiError> {
  const task = await context.store.findTask(id);
  if (task === null) return notFound("task", id);
  const asked = late === null ? "that attempt" : `attempt ${late.attempt}`;
  return new ApiError("lease_lost", `${asked} of task ${id} does not run (any more); stop working on it`, {
    details: [{ status: task.status, attempt: task.attempt }],
  });
}
