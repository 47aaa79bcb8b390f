import { exec, type Pool, type Queryable, sql, transaction } from "@signalbox/common/sql.ts";
import * as buckets from "./store/buckets.ts";
import * as findings from "./store/findings.ts";
import * as intents from "./store/intents.ts";
import * as memory from "./store/memory.ts";
import * as monitors from "./store/monitors.ts";
import * as runs from "./store/runs.ts";
import * as states from "./store/states.ts";

export type Statements = ReturnType<typeof bindStatements>;

/** Everything that the watcher keeps in PostgreSQL. */
export type Store = Statements & {
  /** Runs `work` in one transaction. No call of the network belongs in it. */
  together<T>(work: (store: Statements) => Promise<T>): Promise<T>;
  ping(): Promise<unknown>;
};

export function buildStore(pool: Pool): Store {
  return {
    ...bindStatements(pool),
    together: (work) => transaction(pool, (db) => work(bindStatements(db))),
    ping: () => exec(pool, sql`select 1`),
  };
}

type After<F> = F extends (db: Queryable, ...rest: infer R) => infer A ? (...rest: R) => A : never;
type Bound<M> = { [K in keyof M]: After<M[K]> };

function bindStatements(db: Queryable) {
  /** Every statement of a table, about this connection. */
  const bind = <M extends Record<string, unknown>>(table: M): Bound<M> =>
    Object.fromEntries(
      Object.entries(table).map(([name, statement]) => [
        name,
        // The compiler cannot follow the rest parameters through; the signature is the statement's own without its first.
        (...rest: never[]) => (statement as (db: Queryable, ...rest: never[]) => unknown)(db, ...rest),
      ]),
    ) as Bound<M>;
  return {
    monitors: bind(monitors),
    states: bind(states),
    buckets: bind(buckets),
    findings: bind(findings),
    intents: bind(intents),
    memory: bind(memory),
    runs: bind(runs),
  };
}
