import { exec, many, type Queryable, sql } from "@signalbox/common/sql.ts";
import type { Json } from "../blueprint.ts";
import type { Drift } from "../blueprint-drift.ts";

export type KnownDrift = Drift & { since: Date; taskId: string | null };

/** Keeps what differs now, with since when each has; what is right again is forgotten. */
export async function syncDrifts(db: Queryable, account: string, drifts: readonly Drift[]): Promise<KnownDrift[]> {
  return await many(
    db,
    (row) => ({
      resource: row.resource as string,
      field: row.field as string,
      kind: row.kind as Drift["kind"],
      expected: row.expected as Json,
      actual: row.actual as Json,
      since: row.since as Date,
      taskId: row.task_id as string | null,
    }),
    sql`
    with now_open as (
      select resource, field, kind, expected, actual
        from jsonb_to_recordset(${JSON.stringify(drifts)}::jsonb)
             as d (resource text, field text, kind text, expected jsonb, actual jsonb)
    ), gone as (
      delete from render_drifts d
       where account = ${account}
         and not exists (select 1 from now_open n where n.resource = d.resource and n.field = d.field)
    )
    insert into render_drifts as d (account, resource, field, kind, expected, actual)
    select ${account}, resource, field, kind, coalesce(expected, 'null'), coalesce(actual, 'null') from now_open
    on conflict (account, resource, field) do update
       set kind = excluded.kind, expected = excluded.expected, actual = excluded.actual, seen_at = now()
    returning *`,
  );
}

/** Says which apply was proposed for what differs. */
export async function bindDrifts(db: Queryable, account: string, taskId: string): Promise<void> {
  await exec(db, sql`update render_drifts set task_id = ${taskId} where account = ${account}`);
}
