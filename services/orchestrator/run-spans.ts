/**
 * A task in the traces that a collector is sent: the task itself, each attempt below it, the call of its agent below that. The task's
 * span has an id that follows from its own, so that whoever runs an attempt, and whoever made a child of the task, knows it.
 */
import type { Span } from "@signalbox/common/contracts/span.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { Answer } from "./answer.ts";

/** An attempt as its orchestrator saw it, in Unix ms. */
export type TracedRun = {
  task: Pick<Task, "id" | "type" | "traceId" | "parentId" | "attempt" | "concurrencyKey" | "createdAt">;
  agent: string;
  startMs: number;
  endMs: number;
  /** How it ended: the kind of its outcome, or `lost`. */
  outcome: string;
};

export type TracedCall = Omit<TracedRun, "outcome"> & { spanId: string; answer: Answer };

/** @param idOf a span id that follows from a text, always the same */
export function toRunSpans(run: TracedRun, idOf: (text: string) => string): Span[] {
  const { task, outcome } = run;
  const attempt: Span = {
    ...base(run),
    spanId: attemptSpanId(task, idOf),
    parentSpanId: idOf(task.id),
    name: `run ${task.type}`,
    kind: "internal",
    attributes: { ...attributesOf(run), "signalbox.outcome": outcome },
    error: outcome === "complete" || outcome === "park" || outcome === "defer" ? null : outcome,
  };
  const isEnd = outcome === "complete" || outcome === "fail";
  if (!isEnd) return [attempt];
  const whole: Span = {
    ...attempt,
    spanId: idOf(task.id),
    parentSpanId: task.parentId === null ? null : idOf(task.parentId),
    name: `task ${task.type}`,
    startMs: Math.min(Date.parse(task.createdAt), run.startMs),
  };
  return [attempt, whole];
}

export function toCallSpan(call: TracedCall, idOf: (text: string) => string): Span {
  const { answer, spanId, task, agent } = call;
  const status = answer.kind === "answered" ? answer.status : null;
  return {
    ...base(call),
    spanId,
    parentSpanId: attemptSpanId(task, idOf),
    name: `call ${agent}`,
    kind: "client",
    attributes: { ...attributesOf(call), ...(status !== null && { "http.response.status_code": status }) },
    error: status === null ? answer.kind : status >= 400 ? `answered ${status}` : null,
  };
}

function base({ task, startMs, endMs }: Omit<TracedRun, "outcome">): Pick<Span, "traceId" | "startMs" | "endMs"> {
  return { traceId: task.traceId, startMs, endMs };
}

function attemptSpanId({ id, attempt }: TracedRun["task"], idOf: (text: string) => string): string {
  return idOf(`${id}/${attempt}`);
}

function attributesOf({ task, agent }: Omit<TracedRun, "outcome">): Span["attributes"] {
  return {
    "signalbox.task_id": task.id,
    "signalbox.task_type": task.type,
    "signalbox.attempt": task.attempt,
    "signalbox.agent": agent,
    ...(task.concurrencyKey !== null && { "signalbox.concurrency_key": task.concurrencyKey }),
  };
}
