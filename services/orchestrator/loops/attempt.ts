/** One attempt from its claim to its written end: call the agent, judge the answer, write what it means. */
import type { RunRequest } from "@signalbox/common/contracts/agent.ts";
import type { Log } from "@signalbox/common/log.ts";
import { spanClock } from "@signalbox/common/spans.ts";
import { newSpanId } from "@signalbox/common/trace.ts";
import { judgeAnswer, type Verdict } from "../answer.ts";
import { judgeHealth } from "../circuit.ts";
import type { AgentClient } from "../clients/agent.ts";
import type { TracedCall, TracedRun } from "../run-spans.ts";
import { unsealPayload } from "../secret-members.ts";
import type { Finish, Outcome } from "../store/finish-attempts.ts";
import type { Claimed } from "../store/rows.ts";
import type { Store } from "../store.ts";
import type { Circuits } from "./circuits.ts";
import type { FinishQueue } from "./finish-queue.ts";
import type { Roster } from "./roster.ts";

/** An attempt under way. Its fate is set by whoever takes it away before its answer is in. */
export type Run = {
  claimed: Claimed;
  /** Of `performance.now()`, before the claim was asked for: its lease has not begun earlier. */
  leasedAt: number;
  abort: AbortController;
  fate: "running" | "ended elsewhere" | "released";
};

export type AttemptOptions = {
  store: Store;
  roster: Roster;
  circuits: Circuits;
  agents: AgentClient;
  finishes: FinishQueue;
  sealingKey: Buffer | null;
  log: Log;
  watch: RunWatch;
};

/** Who wants to know what was called and how it went: the metrics and the traces. */
export type RunWatch = { called(call: TracedCall): void; ended(run: TracedRun): void };

/**
 * Runs an attempt; resolves when its end is written, or when there is nothing (more) to write. True when its agent answered
 * "later": it goes on there.
 */
export async function runAttempt(run: Run, options: AttemptOptions): Promise<boolean> {
  const startMs = spanClock();
  const outcome = await callAgent(run, options);
  const tellEnd = (how: string) => options.watch.ended({ ...toTraced(run, startMs), outcome: how });
  if (outcome === null) {
    tellEnd("lost");
    return false;
  }
  const finish: Finish = {
    lease: run.claimed.lease,
    outcome,
    actor: outcome.kind === "release" ? "service:orchestrator" : `agent:${run.claimed.agentName}`,
    concurrencyKey: run.claimed.task.concurrencyKey,
    expired: false,
  };
  const ending = run.fate === "ended elsewhere" ? "lost" : await options.finishes.end(finish);
  if (ending === "lost" && isResult(outcome)) await discard(finish, run.claimed, options);
  if (ending === "refused") await failUnstorable(finish, options);
  tellEnd(ending === "ended" ? outcome.kind : ending);
  return ending === "ended" && outcome.kind === "defer";
}

function toTraced({ claimed }: Run, startMs: number): Omit<TracedRun, "outcome"> {
  return { task: claimed.task, agent: claimed.agentName, startMs, endMs: spanClock() };
}

/** "Later" and our own handing back say nothing that could be lost: the run may well have ended before they were written. */
function isResult(outcome: Outcome): boolean {
  return outcome.kind !== "defer" && outcome.kind !== "release";
}

async function callAgent(run: Run, options: AttemptOptions): Promise<Outcome | null> {
  const { task, lease, instance } = run.claimed;
  const url = options.roster.urlOf(instance, task.type);
  if (url === null) return { kind: "release" };
  const payload = readPayload(run.claimed, options.sealingKey);
  if (payload.kind === "unreadable")
    return { kind: "fail", error: { code: "secrets_unreadable", message: payload.message, retryable: false } };
  const passage = options.circuits.enter(instance);
  const spanId = newSpanId();
  const startMs = spanClock();
  const answer = await options.agents.run({
    url,
    body: toRequest(run.claimed, payload.value),
    leaseId: lease.leaseId,
    spanId,
    concurrencyKey: task.concurrencyKey,
    timeoutMs: task.timeoutMs,
    signal: run.abort.signal,
  });
  options.watch.called({ ...toTraced(run, startMs), spanId, answer });
  passage.over(answer.kind !== "answered" && run.fate !== "running" ? "unknown" : judgeHealth(answer));
  // Nothing was said in time. An answer that did come is written, or put down as discarded.
  if (answer.kind !== "answered" && run.fate === "ended elsewhere") return null;
  if (answer.kind !== "answered" && run.fate === "released") return { kind: "release" };
  const verdict = judgeAnswer(answer, { number: task.attempt, max: task.maxAttempts }, Math.random());
  if (run.fate !== "ended elsewhere") tell(verdict, run.claimed, options.log);
  return verdict;
}

/** What went well is told by the agent's own line and by the ledger; a failed attempt is worth one of ours. */
function tell(verdict: Verdict, claimed: Claimed, log: Log): void {
  if (verdict.kind !== "retry" && verdict.kind !== "fail") return;
  const { task } = claimed;
  const line = log.child(namesOf(claimed));
  const message = `attempt ${task.attempt} of ${task.type} failed: ${verdict.error.message}`;
  line[verdict.kind === "fail" ? "error" : "warn"](
    { attempt: task.attempt, agent: claimed.agentName, error: verdict.error },
    message,
  );
}

/** What every line about a run says. */
function namesOf({ task }: Claimed): Record<string, unknown> {
  const { traceId, correlationId, concurrencyKey, id: taskId, type: taskType } = task;
  return { traceId, correlationId, taskId, taskType, ...(concurrencyKey !== null && { concurrencyKey }) };
}

/** What came too late changes nothing, so a ledger that cannot be told of it is only worth a line. */
async function discard(late: Finish, claimed: Claimed, { store, log }: AttemptOptions): Promise<void> {
  const line = log.child(namesOf(claimed));
  const { attempt } = late.lease;
  await store.noteDiscarded([late]).then(
    () => line.warn({ attempt }, "an answer came too late and was discarded"),
    (err: unknown) => line.warn({ attempt, err }, "an answer came too late, and the ledger could not be told"),
  );
}

/** The database refused the result itself (such as a number that JSON allows and jsonb does not). */
async function failUnstorable(finish: Finish, { finishes }: AttemptOptions): Promise<void> {
  const error = { code: "bad_answer", message: "the agent's answer cannot be stored", retryable: false };
  await finishes.end({ ...finish, outcome: { kind: "fail", error } });
}

/** The payload as only the agent sees it: with its secrets, and with the original of the signal as `raw`. */
function readPayload(
  { task, secrets, raw }: Claimed,
  key: Buffer | null,
): { kind: "read"; value: unknown } | { kind: "unreadable"; message: string } {
  try {
    const value = unsealPayload(task.payload, secrets, { key, taskId: task.id });
    return { kind: "read", value: withRaw(value, raw) };
  } catch {
    return {
      kind: "unreadable",
      message: "the payload's secrets cannot be decrypted: SECRETS_KEY is missing or is another one",
    };
  }
}

/** Beside the payload's members; a payload that has none, because a person wrote another, goes as it is. */
function withRaw(payload: unknown, raw: unknown): unknown {
  const hasMembers = typeof payload === "object" && payload !== null && !Array.isArray(payload);
  return raw === null || raw === undefined || !hasMembers ? payload : { ...payload, raw };
}

function toRequest({ task, input, hasInput }: Claimed, payload: unknown): RunRequest {
  return {
    taskId: task.id,
    type: task.type,
    payload,
    attempt: task.attempt,
    traceId: task.traceId,
    correlationId: task.correlationId,
    deadline: new Date(Date.parse(task.startedAt ?? task.updatedAt) + task.timeoutMs).toISOString(),
    ...(hasInput ? { input } : {}),
  };
}
