import type { Pool, Queryable } from "@signalbox/common/sql.ts";
import type { Drift } from "../blueprint-drift.ts";
import type { LedgerWrite, StepNote } from "../blueprint-ledger.ts";
import * as applies from "./applies.ts";
import * as drifts from "./drifts.ts";
import * as plans from "./plans.ts";

/** What blueprints ask of PostgreSQL. */
export type BlueprintStore = ReturnType<typeof buildBlueprintStore>;

export function buildBlueprintStore(pool: Pool) {
  const db: Queryable = pool;
  return {
    insertPlan: (plan: Omit<plans.StoredPlan, "expiresAt">, keepSeconds: number) =>
      plans.insertPlan(db, plan, keepSeconds),
    findPlan: (id: string) => plans.findPlan(db, id),
    listManaged: (account: string) => plans.listManaged(db, account),
    addManaged: (one: { id: string; account: string; resource: string }) => plans.addManaged(db, one),
    insertApply: (apply: applies.NewApply) => applies.insertApply(pool, apply),
    findApply: (id: string) => applies.findApply(db, id),
    findApplyOfTask: (taskId: string, round: number) => applies.findApplyOfTask(db, taskId, round),
    findApplyOfPlan: (planId: string) => applies.findApplyOfPlan(db, planId),
    findRunning: (account: string) => applies.findRunning(db, account),
    bindTask: (id: string, taskId: string) => applies.bindTask(db, id, taskId),
    beginApply: (id: string) => applies.beginApply(db, id),
    leaseApply: (id: string, lease: { id: string; owner: string; forMs: number }) => applies.leaseApply(db, id, lease),
    renewApply: (lease: applies.ApplyLease, forMs: number) => applies.renewApply(db, lease, forMs),
    releaseApply: (lease: applies.ApplyLease) => applies.releaseApply(db, lease),
    markStep: (lease: applies.ApplyLease, position: number, change: applies.StepChange) =>
      applies.markStep(db, lease, position, change),
    rememberStep: (lease: applies.ApplyLease, position: number, note: StepNote) =>
      applies.rememberStep(db, lease, position, note),
    noteWrite: (id: string, position: number, write: LedgerWrite) => applies.noteWrite(db, id, position, write),
    endApply: (lease: applies.ApplyLease, end: { state: "done" | "failed"; error: string | null }) =>
      applies.endApply(db, lease, end),
    giveUpApply: (id: string, error: string) => applies.giveUpApply(db, id, error),
    syncDrifts: (account: string, found: readonly Drift[]) => drifts.syncDrifts(db, account, found),
    bindDrifts: (account: string, taskId: string) => drifts.bindDrifts(db, account, taskId),
    listAbandoned: (idleMs: number) => applies.listAbandoned(db, idleMs),
  };
}
