import type { Logger } from "pino";
import { type AgentCalls, type AttemptEnd, type Fence, persist } from "./agent-calls.ts";
import { ClientGoneError } from "./body.ts";
import type { TaskError, WaitReason } from "./contracts/task.ts";
import { DeadlineError, type InFlight } from "./drain.ts";
import { ApiError, unavailable } from "./errors.ts";
import { CallError } from "./fleet-call.ts";
import type { Reply } from "./route.ts";
import { type Trace, withTrace } from "./trace.ts";

/**
 * One run of one attempt, from the request to its end.
 *
 *   answered   the run's outcome is the answer: 200 with a result or a wait, 422 or 503 with an error
 *   deferred   202 is the answer; the work goes on and ends with a PATCH that carries the attempt as its fence
 *   given up   the orchestrator closed the request, the deadline passed, the lease went to somebody else, or this agent
 *              stops: the signal aborts, and whatever the work still says is ignored here and refused there
 *
 * If the process dies at any step, the orchestrator's lease runs out and it tries again with a higher attempt.
 */

/** A failure that a person reads on the task. Anything else that a run throws is a bug: logged, and retried. */
export class AgentError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: unknown;

  /** @param options.retryable true: the same request may succeed later */
  constructor(
    message: string,
    options: { code?: string; retryable?: boolean; retryAfterMs?: number; details?: unknown; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "AgentError";
    this.code = options.code ?? "agent_error";
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }
}

/** The attempt is no longer ours: another one runs, or a person ended the task. */
export class LeaseLostError extends Error {
  constructor() {
    super("the lease was lost: this attempt does not count any more");
    this.name = "LeaseLostError";
  }
}

class StoppingError extends Error {}

export type Deferred = { deferred: true };
export type RunOutcome = { result: unknown } | { waiting: { for: WaitReason; prompt?: string } } | Deferred;

export type RunContext<P = unknown> = {
  /** null when somebody called the agent directly: nothing is reported anywhere then */
  taskId: string | null;
  type: string;
  payload: P;
  /** from 1; the same task may be seen again with a higher one */
  attempt: number;
  /** what a person answered after `waiting` for input; undefined before */
  input: unknown;
  deadline: Date;
  signal: AbortSignal;
  trace: Trace;
  /** its lines carry the trace, the task, its type, its concurrency key and the attempt */
  log: Logger;
  /** Renews the lease and shows where the run is. Throws LeaseLostError; an orchestrator that is away only costs a warning. */
  progress(message: string, percent?: number): Promise<void>;
  /** Puts into the audit what was done outside. Never throws: the deed is done, and failing would repeat it. */
  sideEffect(data: Record<string, unknown>): Promise<void>;
  note(data: Record<string, unknown>): Promise<void>;
  /** Answers 202 and goes on with the work: its value becomes the result, what it throws the error. */
  defer(work: () => Promise<unknown>): Deferred;
  /** Ends a run that returned `{ deferred: true }` by itself. */
  finish(result: unknown): Promise<void>;
  fail(error: unknown): Promise<void>;
};

export type RunEnd = "completed" | "waiting" | "failed" | "retry" | "aborted" | "lost" | "undelivered";

/** What all runs of one agent share. */
export type RunKit = {
  name: string;
  log: Logger;
  calls: AgentCalls;
  inFlight: InFlight;
  /** aborts when the time for draining is over */
  killed: AbortSignal;
  onEnd(type: string, end: RunEnd, durationMs: number): void;
};

export type RunCall = {
  type: string;
  payload: unknown;
  input: unknown;
  attempt: number;
  fence: Fence | null;
  trace: Trace;
  deadline: Date;
  clientGone: AbortSignal;
  run(context: RunContext): Promise<RunOutcome>;
};

type Run = {
  kit: RunKit;
  call: RunCall;
  log: Logger;
  controller: AbortController;
  /** starts the time to the deadline anew: a deferred run is lost only when it is silent for that long */
  renew(): void;
  /** ends the bookkeeping; the first call counts */
  close(end: RunEnd, about?: Record<string, unknown>): void;
};

/** Beyond it `setTimeout` fires at once. */
const longestTimerMs = 2_147_483_647;

export function startRun(kit: RunKit, call: RunCall): Promise<Reply> {
  return withTrace(call.trace, () => settle(openRun(kit, call)));
}

function openRun(kit: RunKit, call: RunCall): Run {
  const controller = new AbortController();
  const log = kit.log.child(toBindings(call));
  const startedAt = performance.now();
  const leave = kit.inFlight.enter();
  const limitMs = Math.min(call.deadline.getTime() - Date.now(), longestTimerMs);
  const expire = () => controller.abort(new DeadlineError("the run", limitMs));
  const abortClientGone = () => controller.abort(new ClientGoneError());
  const abortKilled = () => controller.abort(new StoppingError());
  let timer = setTimeout(expire, limitMs);
  let isOpen = true;
  call.clientGone.addEventListener("abort", abortClientGone, { once: true });
  kit.killed.addEventListener("abort", abortKilled, { once: true });
  log.debug("run started");

  return {
    kit,
    call,
    log,
    controller,
    renew() {
      clearTimeout(timer);
      if (isOpen) timer = setTimeout(expire, limitMs);
    },
    close(end, about = {}) {
      if (!isOpen) return;
      isOpen = false;
      clearTimeout(timer);
      call.clientGone.removeEventListener("abort", abortClientGone);
      kit.killed.removeEventListener("abort", abortKilled);
      leave();
      const durationMs = Math.round(performance.now() - startedAt);
      kit.onEnd(call.type, end, durationMs);
      log.info({ outcome: end, durationMs, ...about }, "run finished");
    },
  };
}

/** Bound to the lines themselves, so that one written from a callback outside the run's context still names its task. */
function toBindings({ trace, type, attempt }: RunCall): Record<string, unknown> {
  const { traceId, correlationId, taskId, concurrencyKey } = trace;
  return {
    traceId,
    ...(correlationId && { correlationId }),
    ...(taskId && { taskId }),
    taskType: type,
    ...(concurrencyKey && { concurrencyKey }),
    attempt,
  };
}

async function settle(run: Run): Promise<Reply> {
  const { call, controller } = run;
  try {
    const outcome = await untilAborted(() => call.run(toContext(run)), controller.signal);
    if ("deferred" in outcome) {
      run.renew();
      return { status: 202, body: { deferred: true } };
    }
    if ("waiting" in outcome) {
      run.close("waiting", { waitingFor: outcome.waiting.for });
      return { status: 200, body: { waiting: outcome.waiting } };
    }
    run.close("completed");
    return { status: 200, body: { result: outcome.result ?? null } };
  } catch (error) {
    return toRefusal(run, error);
  }
}

function toContext(run: Run): RunContext {
  const { call, log, controller } = run;
  return {
    taskId: call.fence?.taskId ?? null,
    type: call.type,
    payload: call.payload,
    attempt: call.attempt,
    input: call.input,
    deadline: call.deadline,
    signal: controller.signal,
    trace: call.trace,
    log,
    progress: (message, percent) => reportProgress(run, message, percent),
    sideEffect: (data) => record(run, "side_effect", data),
    note: (data) => record(run, "note", data),
    defer(work) {
      // The answer goes out first; a PATCH that overtakes its own 202 would be right but hard to read in the audit.
      setImmediate(() => void goOn(run, work));
      return { deferred: true };
    },
    finish: (result) => endDeferred(run, { status: "completed", result: result ?? null }),
    fail: (error) => endDeferred(run, { status: "failed", error: toTaskError(run, error) }),
  };
}

async function goOn(run: Run, work: () => Promise<unknown>): Promise<void> {
  try {
    const result = await untilAborted(work, run.controller.signal);
    await endDeferred(run, { status: "completed", result: result ?? null });
  } catch (error) {
    if (run.controller.signal.aborted) giveUp(run);
    else await endDeferred(run, { status: "failed", error: toTaskError(run, error) });
  }
}

const progressBudgetMs = 10_000;
const auditBudgetMs = 30_000;

/** Longer than any lease: after it the orchestrator has given the task to a new attempt anyway. */
const endBudgetMs = 300_000;

const longestMessage = 2_000;

async function reportProgress(run: Run, message: string, percent?: number): Promise<void> {
  const { call, kit, controller } = run;
  const text = message.slice(0, longestMessage).toWellFormed();
  run.log.debug({ percent }, text);
  if (!call.fence || text === "") return;
  const { fence } = call;
  const isPercent = percent !== undefined && Number.isFinite(percent);
  const share = isPercent ? { percent: Math.min(100, Math.max(0, percent)) } : {};
  const report = { message: text, agentName: kit.name, ...share };
  try {
    await persist(() => kit.calls.progress(fence, report), { signal: controller.signal, budgetMs: progressBudgetMs });
    run.renew();
  } catch (error) {
    if (isLost(error)) controller.abort(new LeaseLostError());
    controller.signal.throwIfAborted();
    run.log.warn({ err: error }, "progress could not be reported; the run goes on");
  }
}

async function record(run: Run, kind: "side_effect" | "note", data: Record<string, unknown>): Promise<void> {
  const { call, kit, controller } = run;
  if (!call.fence) return;
  const { fence } = call;
  try {
    await persist(() => kit.calls.record(fence, kind, data), { signal: kit.killed, budgetMs: auditBudgetMs });
  } catch (error) {
    if (isLost(error)) controller.abort(new LeaseLostError());
    run.log.error({ err: error, kind, record: data }, "this belongs in the task's audit but could not be put there");
  }
}

async function endDeferred(run: Run, end: AttemptEnd): Promise<void> {
  const { call, kit } = run;
  const about = end.status === "failed" ? { code: end.error.code, error: end.error.message } : {};
  if (!call.fence) return run.close(end.status, about);
  const { fence } = call;
  try {
    await persist(() => kit.calls.end(fence, end), { signal: kit.killed, budgetMs: endBudgetMs });
    run.close(end.status, about);
  } catch (error) {
    if (isLost(error)) return run.close("lost");
    run.log.error({ err: error }, "the end of the run could not be delivered; the orchestrator will try again");
    run.close("undelivered", about);
  }
}

function giveUp(run: Run): void {
  const { reason } = run.controller.signal;
  run.close(reason instanceof LeaseLostError ? "lost" : "aborted", { reason: String(reason?.message ?? reason) });
}

/** The answer to the orchestrator when a run has thrown, or was given up before it said anything. */
function toRefusal(run: Run, error: unknown): Reply {
  const { signal } = run.controller;
  if (signal.aborted) {
    giveUp(run);
    throw toAbortAnswer(signal.reason);
  }
  const failure = toTaskError(run, error);
  run.close(failure.retryable ? "retry" : "failed", { code: failure.code, error: failure.message });
  if (error instanceof ApiError) throw error;
  const status = error instanceof AgentError ? (error.retryable ? 503 : 422) : 500;
  const { code, message, details } = failure;
  const body = {
    error: { code, message, ...(details !== undefined && { details: [details] }), traceId: run.call.trace.traceId },
  };
  const waitMs = error instanceof AgentError ? error.retryAfterMs : undefined;
  return {
    status,
    body,
    ...(waitMs !== undefined && { headers: { "retry-after": String(Math.ceil(waitMs / 1_000)) } }),
  };
}

function toAbortAnswer(reason: unknown): Error {
  if (reason instanceof ClientGoneError) return reason;
  if (reason instanceof LeaseLostError) return new ApiError("lease_lost", "This attempt does not count any more.");
  if (reason instanceof DeadlineError) return unavailable("The run did not end before its deadline.", 1);
  return unavailable("This agent is stopping; ask another one.", 1);
}

function toTaskError(run: Run, error: unknown): TaskError {
  if (error instanceof AgentError) {
    const { code, message, retryable, details } = error;
    return { code, message, retryable, ...(details !== undefined && { details }) };
  }
  if (error instanceof ApiError) {
    return { code: error.code, message: error.message, retryable: error.status >= 500 || error.status === 429 };
  }
  run.log.error({ err: error }, "a run failed in a way that its agent did not foresee");
  return {
    code: "internal",
    message: "The agent failed unexpectedly; it is logged under the trace id.",
    retryable: true,
  };
}

function isLost(error: unknown): boolean {
  return error instanceof CallError && error.status === 409;
}

/** The work, but no longer than the signal allows; what it says after that goes nowhere. */
function untilAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    Promise.resolve()
      .then(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}
