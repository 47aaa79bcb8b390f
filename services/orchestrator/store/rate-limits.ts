import { exec, one, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";

export type Uses = { ofUser: number; ofAll: number; resetSeconds: number };

/**
 * Counts one submission of a user in the running minute of the database's clock; how many that makes. What is beyond the user's
 * own limit does not count for all: nobody uses up everybody's by being refused.
 */
export function countUse(db: Queryable, userKey: string, userLimit: number): Promise<Uses> {
  const toUses = (row: Row) => ({
    ofUser: row.of_user as number,
    ofAll: row.of_all as number,
    resetSeconds: Math.max(1, Math.ceil(Number(row.reset))),
  });
  return one(
    db,
    toUses,
    sql`
    with own as (
      insert into rate_limits (key, minute, used) values (${`user:${userKey}`}, date_trunc('minute', now()), 1)
      on conflict (key, minute) do update set used = rate_limits.used + 1
      returning used
    ), everybody as (
      insert into rate_limits (key, minute, used)
      select 'global', date_trunc('minute', now()), 1 from own where used <= ${userLimit}::int
      on conflict (key, minute) do update set used = rate_limits.used + 1
      returning used
    )
    select own.used as of_user, coalesce((select used from everybody), 0) as of_all, 60 - extract(second from now()) as reset from own`,
  );
}

/** Forgets the counts of minutes that are long over. */
export function forgetUses(db: Queryable): Promise<number> {
  return exec(db, sql`delete from rate_limits where minute < now() - interval '10 minutes'`);
}
