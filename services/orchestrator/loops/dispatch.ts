/**
 * Claims tasks for free slots and runs each: claim, call the agent, judge its answer, write the end.
 *
 * If the process dies after a claim, the lease runs out and the reaper takes the task up. If it dies after the agent's
 * answer and before the write, the agent sees the task again: an agent may see one task twice, which the contract says.
 */

import type { RunRequest } from "@signalbox/common/contracts/agent.ts";
import type { Log } from "@signalbox/common/log.ts";
import { buildBell } from "@signalbox/common/tail.ts";
import { judgeAnswer } from "../answer.ts";
import type { AgentClient } from "../clients/agent.ts";
import { type FreeSlot, planSlots, slotKey } from "../slots.ts";
import type { Finish, Outcome } from "../store/finish-attempts.ts";
import type { Claimed, Lease } from "../store/rows.ts";
import type { Store } from "../store.ts";
import type { FinishQueue } from "./finish-queue.ts";
import type { Roster } from "./roster.ts";

const pollMs = 5_000;
/** Slots filled by one claim; more would make one statement long. */
const maxClaim = 200;
export const leaseMs = 30_000;

type Run = {
  claimed: Claimed;
  abort: AbortController;
  startedAt: number;
  fate: "running" | "ended elsewhere" | "released";
};

export type Dispatcher = {
  /** There may be something to claim. */
  ring(): void;
  /** Somebody else ended this attempt: its agent is told to stop, and nothing is written. */
  drop(taskId: string, attempt: number): void;
  leases(): Lease[];
  /** These leases are lost, or have not been renewed for too long. */
  lose(leaseIds: ReadonlySet<string>): void;
  busy(): number;
  run(signal: AbortSignal): Promise<void>;
  /** Waits for the runs under way, then hands back what is left. */
  drain(graceMs: number): Promise<void>;
};

export type DispatchOptions = {
  store: Store;
  roster: Roster;
  agents: AgentClient;
  finishes: FinishQueue;
  owner: string;
  log: Log;
  onStarted: () => void;
};

export function buildDispatcher(options: DispatchOptions): Dispatcher {
  const { store, roster, finishes, log } = options;
  const bell = buildBell();
  const runs = new Map<string, Run>();
  const busy = new Map<string, number>();
  /** Types that had more ready tasks than slots at the last claim: only for these is a freed slot worth a claim. */
  let backlog = new Set<string>();
  let idlers: (() => void)[] = [];

  function count(claimed: Claimed, by: 1 | -1): void {
    const key = slotKey(claimed.instance, claimed.task.type);
    const left = (busy.get(key) ?? 0) + by;
    if (left > 0) busy.set(key, left);
    else busy.delete(key);
  }

  function runningNow(): Map<string, number> {
    const all = new Map(roster.others());
    for (const [key, own] of busy) all.set(key, (all.get(key) ?? 0) + own);
    return all;
  }

  async function claim(): Promise<boolean> {
    const slots = planSlots(roster.agents(), runningNow(), maxClaim);
    if (slots.length === 0) return false;
    const claimed = await store.claimTasks(slots, { owner: options.owner, ms: leaseMs });
    backlog = typesWithMore(slots, claimed);
    for (const task of claimed) start(task);
    if (claimed.length > 0) options.onStarted();
    return backlog.size > 0 && slots.length === maxClaim;
  }

  function start(claimed: Claimed): void {
    const run: Run = { claimed, abort: new AbortController(), startedAt: performance.now(), fate: "running" };
    runs.set(claimed.task.id, run);
    count(claimed, 1);
    void runAttempt(run)
      .catch((error: unknown) =>
        log.error({ err: error, ...toNames(claimed) }, "a run broke off; its lease will expire and it will be retried"),
      )
      .finally(() => settle(run));
  }

  function settle(run: Run): void {
    const { task } = run.claimed;
    if (runs.get(task.id) === run) runs.delete(task.id);
    count(run.claimed, -1);
    if (backlog.has(task.type)) bell.ring();
    if (runs.size > 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  async function runAttempt(run: Run): Promise<void> {
    const outcome = await callAgent(run);
    if (outcome === null) return;
    const finish: Finish = {
      lease: run.claimed.lease,
      outcome,
      actor: outcome.kind === "release" ? "service:orchestrator" : `agent:${run.claimed.agentName}`,
      concurrencyKey: run.claimed.task.concurrencyKey,
      expired: false,
    };
    const ending = await finishes.end(finish);
    if (ending === "lost") await discard(finish);
    if (ending === "refused") await failUnstorable(finish);
  }

  async function callAgent(run: Run): Promise<Outcome | null> {
    const { task, lease, instance } = run.claimed;
    const agent = roster.agents().find((live) => live.instance === instance);
    const path = agent?.types.find((type) => type.type === task.type)?.path;
    if (!agent || path === undefined) return { kind: "release" };
    const answer = await options.agents.run({
      url: new URL(agent.url).origin + new URL(agent.url).pathname.replace(/\/$/, "") + path,
      body: toRequest(run.claimed),
      leaseId: lease.leaseId,
      timeoutMs: task.timeoutMs,
      signal: run.abort.signal,
    });
    if (run.fate === "ended elsewhere") return null;
    if (run.fate === "released" && answer.kind !== "answered") return { kind: "release" };
    const verdict = judgeAnswer(answer, { number: task.attempt, max: task.maxAttempts }, Math.random());
    if (verdict.kind === "retry" || verdict.kind === "fail") {
      const level = verdict.kind === "fail" ? "error" : "warn";
      log[level](
        { ...toNames(run.claimed), error: verdict.error },
        `attempt ${task.attempt} of ${task.type} failed: ${verdict.error.message}`,
      );
    }
    return verdict;
  }

  async function discard(late: Finish): Promise<void> {
    await store.noteDiscarded([late]);
    log.warn({ taskId: late.lease.taskId, attempt: late.lease.attempt }, "an answer came too late and was discarded");
  }

  /** The database refused the result itself (such as a number that JSON allows and jsonb does not). */
  async function failUnstorable(finish: Finish): Promise<void> {
    const error = { code: "bad_answer", message: "the agent's answer cannot be stored", retryable: false };
    await finishes.end({ ...finish, outcome: { kind: "fail", error } });
  }

  return {
    ring: bell.ring,
    drop(taskId, attempt) {
      const run = runs.get(taskId);
      if (!run || run.claimed.lease.attempt !== attempt) return;
      run.fate = "ended elsewhere";
      run.abort.abort();
    },
    leases: () => [...runs.values()].map((run) => run.claimed.lease),
    lose(leaseIds) {
      for (const run of runs.values()) {
        if (!leaseIds.has(run.claimed.lease.leaseId)) continue;
        run.fate = "ended elsewhere";
        run.abort.abort();
      }
    },
    busy: () => runs.size,
    async run(signal) {
      while (!signal.aborted) {
        const more = await claim().catch((error: unknown) => {
          log.warn({ err: error }, "a claim failed; it will be tried again");
          return false;
        });
        if (!more) await bell.heard(pollMs * (0.9 + 0.2 * Math.random()), signal);
      }
    },
    async drain(graceMs) {
      const idle = () => new Promise<void>((resolve) => (runs.size === 0 ? resolve() : idlers.push(resolve)));
      const timer = setTimeout(() => {
        for (const run of runs.values()) {
          run.fate = "released";
          run.abort.abort();
        }
      }, graceMs);
      await idle();
      clearTimeout(timer);
      await finishes.idle();
    },
  };
}

function typesWithMore(slots: readonly FreeSlot[], claimed: readonly Claimed[]): Set<string> {
  const left = new Map<string, number>();
  for (const { type } of slots) left.set(type, (left.get(type) ?? 0) + 1);
  for (const { task } of claimed) left.set(task.type, (left.get(task.type) ?? 0) - 1);
  return new Set([...left].filter(([, free]) => free === 0).map(([type]) => type));
}

function toNames({ task, agentName }: Claimed) {
  return {
    taskId: task.id,
    traceId: task.traceId,
    correlationId: task.correlationId,
    taskType: task.type,
    attempt: task.attempt,
    agent: agentName,
  };
}

function toRequest({ task, input, hasInput }: Claimed): RunRequest {
  return {
    taskId: task.id,
    type: task.type,
    payload: task.payload,
    attempt: task.attempt,
    traceId: task.traceId,
    correlationId: task.correlationId,
    deadline: new Date(Date.parse(task.startedAt ?? task.updatedAt) + task.timeoutMs).toISOString(),
    ...(hasInput ? { input } : {}),
  };
}
