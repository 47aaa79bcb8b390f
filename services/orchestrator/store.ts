import { exec, one, type Pool, type Queryable, sql } from "@signalbox/common/sql.ts";
import * as agents from "./store/agents.ts";
import { cancelBelow, cancelTree, changeTask, type Decision, type Locked } from "./store/change-task.ts";
import { claimTasks } from "./store/claim-tasks.ts";
import { getReplayed, insertTask, isKeyUsed } from "./store/create-task.ts";
import * as deliveries from "./store/deliveries.ts";
import { finishAttempts, noteDiscarded } from "./store/finish-attempts.ts";
import { insertPlainTasks } from "./store/insert-plain.ts";
import * as leases from "./store/leases.ts";
import { attend, leave } from "./store/orchestrators.ts";
import * as outbox from "./store/outbox.ts";
import { countUse, forgetUses } from "./store/rate-limits.ts";
import { readSteps } from "./store/read-steps.ts";
import * as reads from "./store/read-tasks.ts";
import * as schedules from "./store/schedules.ts";
import { readTaskStats } from "./store/stats.ts";
import * as subscriptions from "./store/subscriptions.ts";
import * as timers from "./store/timers.ts";
import * as trace from "./store/trace.ts";

/** Everything that the orchestrator asks of PostgreSQL. Routes and loops know it only by this type. */
export type Store = ReturnType<typeof buildStore>;

const statements = {
  insertTask,
  insertPlainTasks,
  getReplayed,
  isKeyUsed,
  ...reads,
  readSteps,
  cancelTree,
  cancelBelow,
  claimTasks,
  finishAttempts,
  noteDiscarded,
  ...leases,
  ...trace,
  readTaskStats,
  countUse,
  forgetUses,
  ...schedules,
  ...deliveries,
  ...subscriptions,
  ...outbox,
  ...timers,
  ...agents,
  attend,
  leave,
  ping: (db: Queryable) => exec(db, sql`select 1`),
  /** The locking of keys relies on each statement seeing what was committed before it. */
  getIsolation: (db: Queryable) =>
    one(db, (row) => row.default_transaction_isolation as string, sql`show default_transaction_isolation`),
};

export function buildStore(pool: Pool) {
  return {
    ...bind(pool, statements),
    // By itself, because binding would lose its type parameter.
    changeTask: <R>(id: string, actor: string, decide: (locked: Locked) => Decision<R>) =>
      changeTask(pool, id, actor, decide),
  };
}

type Statement = (db: never, ...rest: never[]) => unknown;
type Bound<F> = { [K in keyof F]: F[K] extends (db: never, ...rest: infer A) => infer R ? (...rest: A) => R : never };

/** The same functions without their first parameter, which is the pool from now on. */
function bind<F extends Record<string, Statement>>(pool: Pool, functions: F): Bound<F> {
  const bound = Object.entries(functions).map(([name, run]) => [name, run.bind(null, pool as never)]);
  return Object.fromEntries(bound) as Bound<F>;
}
