import { many, prepared, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { LedgerStep } from "./rows.ts";

/**
 * Events of the ledger in a range of numbers (`after` excluded), without what only a stream shows: a page of them costs a fifth
 * of one with the tasks, and most of the time nobody follows.
 */
export function readSteps(db: Queryable, range: { after: number; upTo: number; limit: number }): Promise<LedgerStep[]> {
  return many(
    db,
    toStep,
    prepared(
      "read_steps",
      sql`
    select e.seq, e.task_id, e.kind, t.type, e.state->>0 as status, (e.state->1)::int as attempt,
           (extract(epoch from e.at) * 1000)::float8 as at_ms, (e.state->4)::float8 as run_at_ms,
           (nullif(e.state->11, 'null'))::float8 as started_ms
      from (select seq, task_id, kind, at, state from task_events
             where seq > ${range.after} and seq <= ${range.upTo} order by seq limit ${range.limit}) e
      join tasks t on t.id = e.task_id
     order by e.seq`,
    ),
  );
}

function toStep(row: Row): LedgerStep {
  return {
    seq: Number(row.seq),
    taskId: row.task_id as string,
    kind: row.kind as LedgerStep["kind"],
    type: row.type as string,
    status: row.status as LedgerStep["status"],
    attempt: row.attempt as number,
    atMs: row.at_ms as number,
    runAtMs: Math.floor(row.run_at_ms as number),
    startedMs: row.started_ms as number | null,
  };
}
