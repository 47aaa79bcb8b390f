import { exec, maybeOne, type Pool, type Queryable, sql, transaction } from "@signalbox/common/sql.ts";

export type Limits = { userPerMinute: number; globalPerMinute: number };

/** Whose limit is used up, and in how many seconds there is room again. */
export type UsedUp = { whose: "user" | "all"; resetSeconds: number };

/**
 * Counts one submission of a user, unless in the minute before it the user or all together have made as many as they may: then
 * nothing is counted, so nobody uses up anything by being refused. By the seconds of the database's clock, whole ones on both
 * sides, so that no sixty seconds hold more than the limit.
 */
export function countUse(pool: Pool, userKey: string, limits: Limits): Promise<UsedUp | null> {
  const user = `user:${userKey}`;
  return transaction(pool, async (db) => {
    // The own first, and that of all only with room in the own: a loud user holds up nobody.
    const ofUser = await look(db, user, limits.userPerMinute);
    if (ofUser !== null) return { whose: "user", resetSeconds: ofUser };
    const ofAll = await look(db, everybody, limits.globalPerMinute);
    if (ofAll !== null) return { whose: "all", resetSeconds: ofAll };
    await exec(
      db,
      sql`
      insert into recent_uses (key, second, used)
      select key, date_trunc('second', clock_timestamp()), 1 from unnest(${[user, everybody]}::text[]) key
      on conflict (key, second) do update set used = recent_uses.used + 1`,
    );
    return null;
  });
}

const everybody = "global";

/**
 * Holds a key until the end of the transaction; seconds until there is room, null when there is.
 * The lock is a statement of its own, so that the next one sees what was waited for.
 */
async function look(db: Queryable, key: string, limit: number): Promise<number | null> {
  await exec(db, sql`select pg_advisory_xact_lock(hashtextextended(${key}, 7527))`);
  return await maybeOne(
    db,
    (row) => Math.max(1, Math.ceil(Number(row.seconds))),
    sql`
    select extract(epoch from second + interval '61 seconds' - clock_timestamp()) as seconds
      from (select second, sum(used) over (order by second desc) as since from recent_uses
             where key = ${key} and second > clock_timestamp() - interval '61 seconds') newest
     where since >= ${limit}::int order by second desc limit 1`,
  );
}

/** Forgets what no limit counts any more. */
export function forgetUses(db: Queryable): Promise<number> {
  return exec(db, sql`delete from recent_uses where second < now() - interval '10 minutes'`);
}
