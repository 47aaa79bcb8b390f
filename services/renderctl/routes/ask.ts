import { setTimeout as rest } from "node:timers/promises";
import { type ErrorCode, errorStatuses } from "@signalbox/common/contracts/errors.ts";
import type { TaskError } from "@signalbox/common/contracts/task.ts";
import { ApiError } from "@signalbox/common/errors.ts";
import type { Reply, RouteInput } from "@signalbox/common/route.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { Type } from "typebox";
import type { SeenTask } from "../clients/orchestrator.ts";
import type { Context } from "../context.ts";

/*
 * A direct call is a task as well: it is made in the caller's name, carried out by the run of its type, and answered with
 * what came of it. A person's own call is their consent; any other waits for one, and is answered 202 with the task. So is
 * a call whose task takes longer than its caller should wait.
 */

/** The answer while there is no result yet. */
export const PendingTask = Type.Object(
  {
    taskId: Type.String(),
    status: Type.String(),
    waitingFor: Type.Union([Type.String(), Type.Null()]),
    message: Type.String(),
  },
  { additionalProperties: false },
);

type Input = Pick<RouteInput<unknown, unknown, unknown>, "principal" | "actor" | "trace" | "headers" | "signal">;

export type Asked = {
  type: string;
  payload: unknown;
  /** the status of an answer with a result */
  status: number;
  /** A result that is known before the task has ended, by the task; null: not yet. */
  early?(task: SeenTask): Promise<Record<string, unknown> | null>;
};

const firstPauseMs = 25;
const maxPauseMs = 400;

/** @throws ApiError as the task failed */
export async function ask(context: Context, input: Input, asked: Asked): Promise<Reply> {
  const { signal } = input;
  const { type, payload } = asked;
  const wanting = {
    onBehalfOf: personOf(input),
    trace: input.trace,
    // One of its own makes it safe to ask again when a connection is lost.
    idempotencyKey: textOf(input.headers["idempotency-key"]) ?? `direct:${uuidv7()}`,
  };
  let task = await context.tasks.create({ type, payload, source: "renderctl" }, wanting, signal);
  const giveUpAt = performance.now() + context.askMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 1.5)) {
    const reply = await replyTo(task, asked);
    if (reply) return reply;
    if (performance.now() > giveUpAt) return toPending(task);
    await rest(pauseMs, undefined, { signal });
    task = await lookAgain(context, task, signal);
  }
}

/** The task goes on, whether it can be looked at or not; a caller is told of it when the time is over. */
async function lookAgain({ tasks }: Context, task: SeenTask, signal: AbortSignal): Promise<SeenTask> {
  try {
    return (await tasks.find(task.id, signal)) ?? task;
  } catch (error) {
    if (error instanceof ApiError && error.status === 503) return task;
    throw error;
  }
}

/** Null: not yet. @throws ApiError as the task failed */
async function replyTo(task: SeenTask, { status, early }: Asked): Promise<Reply | null> {
  const known = (await early?.(task)) ?? null;
  if (known) return toReply(task, status, known);
  switch (task.status) {
    case "completed":
      return toReply(task, status, task.result as Record<string, unknown>);
    case "failed":
    case "canceled":
      throw toApiError(task);
    case "waiting":
      return toPending(task);
    default:
      return null;
  }
}

/** The person who calls, or for whom a service does; null for a service by itself. */
function personOf({ principal, actor }: Input): string | null {
  if (principal?.kind === "person") return actor;
  return principal?.onBehalfOf ?? null;
}

function textOf(header: string | string[] | undefined): string | null {
  return typeof header === "string" ? header : null;
}

function toReply({ id }: SeenTask, status: number, result: Record<string, unknown>): Reply {
  return { status, body: { ...result, taskId: id } };
}

function toPending({ id, status, waitingFor }: SeenTask): Reply {
  const isAsking = status === "waiting";
  const message = isAsking
    ? `Nothing is done yet: task ${id} waits for a person's ${waitingFor}.`
    : `Task ${id} is still ${status}; its result will be there.`;
  return {
    status: 202,
    location: `/task/${id}`,
    body: { taskId: id, status, waitingFor: waitingFor ?? null, message },
  };
}

function toApiError({ id, status, error }: SeenTask): ApiError {
  const { code, message, details }: TaskError = error ?? { code: "unavailable", message: `Task ${id} was ${status}.` };
  const known: ErrorCode = Object.hasOwn(errorStatuses, code) ? (code as ErrorCode) : "render_refused";
  return new ApiError(known, message, { details: [...toDetails(details), { taskId: id }] });
}

/** A refusal's arrive as `{"status","said"?:[…]}`; with what status the run was answered is nothing to our own caller. */
function toDetails(details: unknown): unknown[] {
  const isRefusal = typeof details === "object" && details !== null && "status" in details;
  const said = isRefusal ? (details as { said?: unknown }).said : details;
  return Array.isArray(said) ? said : said === undefined ? [] : [said];
}
