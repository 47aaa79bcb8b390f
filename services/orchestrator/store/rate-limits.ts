import { exec, one, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";

export type Use = { used: number; resetSeconds: number };

/** Counts one use of each key in the running minute of the database's clock; how many that makes, key by key. */
export async function countUses(db: Queryable, keys: readonly string[]): Promise<Use[]> {
  const toUses = (row: Row) =>
    (row.uses as number[]).map((used) => ({ used, resetSeconds: Math.max(1, Math.ceil(Number(row.reset))) }));
  return one(
    db,
    toUses,
    sql`
    with counted as (
      insert into rate_limits (key, minute, used)
      select key, date_trunc('minute', now()), 1 from unnest(${[...keys]}::text[]) key order by key
      on conflict (key, minute) do update set used = rate_limits.used + 1
      returning key, used
    )
    select array_agg(used order by array_position(${[...keys]}::text[], key)) as uses,
           60 - extract(second from now()) as reset from counted`,
  );
}

/** Forgets the counts of minutes that are long over. */
export function forgetUses(db: Queryable): Promise<number> {
  return exec(db, sql`delete from rate_limits where minute < now() - interval '10 minutes'`);
}
