import type { Heartbeat } from "@signalbox/common/contracts/agent.ts";
import type { TaskQuery } from "@signalbox/common/contracts/task.ts";
import { exec, one, type Pool, sql } from "@signalbox/common/sql.ts";
import type { NewTask } from "./new-task.ts";
import type { ScheduleFields } from "./schedule.ts";
import * as agents from "./store/agents.ts";
import { cancelTree, changeTask, type Decision, type Locked } from "./store/change-task.ts";
import { claimTasks, type Slot } from "./store/claim-tasks.ts";
import { getReplayed, insertTask } from "./store/create-task.ts";
import { type Finish, finishAttempts, noteDiscarded } from "./store/finish-attempts.ts";
import * as leases from "./store/leases.ts";
import { countUses, forgetUses } from "./store/rate-limits.ts";
import * as reads from "./store/read-tasks.ts";
import type { Lease } from "./store/rows.ts";
import * as schedules from "./store/schedules.ts";
import { readTaskStats, type Span } from "./store/stats.ts";
import * as timers from "./store/timers.ts";
import * as trace from "./store/trace.ts";

/** Everything that the orchestrator asks of PostgreSQL. Routes and loops know it only by this type. */
export type Store = ReturnType<typeof buildStore>;

export function buildStore(pool: Pool) {
  return {
    insertTask: (task: NewTask) => insertTask(pool, task),
    getReplayed: (key: string) => getReplayed(pool, key),
    findTask: (id: string) => reads.findTask(pool, id),
    findTaskWithEvents: (id: string, maxEvents: number) => reads.findTaskWithEvents(pool, id, maxEvents),
    listTasks: (query: TaskQuery) => reads.listTasks(pool, query),
    listEvents: (taskId: string, page: { after: number; limit: number }) => reads.listEvents(pool, taskId, page),
    readLedger: (range: { after: number; upTo: number; limit: number }) => reads.readLedger(pool, range),
    latestEventSeq: (upTo: number) => reads.latestEventSeq(pool, upTo),
    explainWait: (id: string) => reads.explainWait(pool, id),
    changeTask: <R>(id: string, actor: string, decide: (locked: Locked) => Decision<R>) =>
      changeTask(pool, id, actor, decide),
    cancelTree: (id: string, by: { actor: string; reason: string | null }) => cancelTree(pool, id, by),
    claimTasks: (slots: readonly Slot[], lease: { owner: string; ms: number }) => claimTasks(pool, slots, lease),
    finishAttempts: (batch: readonly Finish[]) => finishAttempts(pool, batch),
    noteDiscarded: (late: readonly Finish[]) => noteDiscarded(pool, late),
    renewLeases: (held: readonly Lease[], ms: number) => leases.renewLeases(pool, held, ms),
    listExpired: (limit: number) => leases.listExpired(pool, limit),
    reportProgress: (
      run: { taskId: string; attempt: number; leaseId: string | null },
      note: leases.ProgressNote,
      leaseMs: number,
    ) => leases.reportProgress(pool, run, note, leaseMs),
    noteAgentEvent: (
      run: { taskId: string; attempt: number },
      note: { kind: "side_effect" | "note"; data: Record<string, unknown> },
    ) => leases.noteAgentEvent(pool, run, note),
    noteLateCall: (taskId: string, late: { attempt: number; what: string; actor: string }) =>
      leases.noteLateCall(pool, taskId, late),
    listTraceTasks: (traceId: string, limit: number) => trace.listTraceTasks(pool, traceId, limit),
    listEventsOf: (taskIds: readonly string[], limit: number) => trace.listEventsOf(pool, taskIds, limit),
    listTree: (id: string, limit: number) => trace.listTree(pool, id, limit),
    readTaskStats: (span: Span, bucketMs: number) => readTaskStats(pool, span, bucketMs),
    countUses: (keys: readonly string[]) => countUses(pool, keys),
    forgetUses: () => forgetUses(pool),
    readClock: () => schedules.readClock(pool),
    insertSchedule: (id: string, fields: ScheduleFields, made: { by: string; nextMs: number | null; nowMs: number }) =>
      schedules.insertSchedule(pool, id, fields, made),
    findSchedule: (id: string) => schedules.findSchedule(pool, id),
    listSchedules: (page: { limit: number; cursor: string | undefined }) => schedules.listSchedules(pool, page),
    changeSchedule: (id: string, plan: Parameters<typeof schedules.changeSchedule>[2]) =>
      schedules.changeSchedule(pool, id, plan),
    deleteSchedule: (id: string) => schedules.deleteSchedule(pool, id),
    fireNext: (plan: Parameters<typeof schedules.fireNext>[1], toTask: Parameters<typeof schedules.fireNext>[2]) =>
      schedules.fireNext(pool, plan, toTask),
    noteManualFire: (id: string, taskId: string) => schedules.noteManualFire(pool, id, taskId),
    nextFireInMs: () => schedules.nextFireInMs(pool),
    forgetFires: (limit: number) => schedules.forgetFires(pool, limit),
    wakeDue: (limit: number) => timers.wakeDue(pool, limit),
    joinDue: (limit: number) => timers.joinDue(pool, limit),
    nextDueMs: () => timers.nextDueMs(pool),
    repairHeads: () => timers.repairHeads(pool),
    listExpiredApprovals: (limit: number) => timers.listExpiredApprovals(pool, limit),
    forgetIdempotencyKeys: (limit: number) => timers.forgetIdempotencyKeys(pool, limit),
    recordHeartbeat: (beat: Heartbeat) => agents.recordHeartbeat(pool, beat),
    listAgents: () => agents.listAgents(pool),
    listLiveAgents: (staleMs: number) => agents.listLiveAgents(pool, staleMs),
    countOthersRunning: (owner: string) => agents.countOthersRunning(pool, owner),
    listTypes: (type?: string) => agents.listTypes(pool, type),
    countByStatus: () => reads.countByStatus(pool),
    ping: () => exec(pool, sql`select 1`),
    /** The locking of keys relies on each statement seeing what was committed before it. */
    getIsolation: () =>
      one(pool, (row) => row.default_transaction_isolation as string, sql`show default_transaction_isolation`),
  };
}
