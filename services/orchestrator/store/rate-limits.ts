import { exec, one, type Pool, type Queryable, type Row, sql, transaction } from "@signalbox/common/sql.ts";

export type Limits = { userPerMinute: number; globalPerMinute: number };

/** Whose limit is used up, and in how many seconds there is room again. */
export type UsedUp = { whose: "user" | "all"; resetSeconds: number };

/**
 * Counts one submission of a user, unless in the 60 seconds before it the user or all together have made as many as they may:
 * then nothing is counted, so nobody uses up anything by being refused. By the database's clock.
 */
export function countUse(pool: Pool, userKey: string, limits: Limits): Promise<UsedUp | null> {
  const user = `user:${userKey}`;
  return transaction(pool, async (db) => {
    // Everybody locks the own row first, and that of all only with room in the own: a loud user holds up nobody.
    const ofUser = await look(db, user, limits.userPerMinute);
    if (ofUser !== null) return { whose: "user", resetSeconds: ofUser };
    const ofAll = await look(db, everybody, limits.globalPerMinute);
    if (ofAll !== null) return { whose: "all", resetSeconds: ofAll };
    await exec(
      db,
      sql`update recent_uses set at = at || clock_timestamp() where key = any (${[user, everybody]}::text[])`,
    );
    return null;
  });
}

const everybody = "global";

/** Locks the uses of a key, forgets those that are over; seconds until there is room, null when there is. */
function look(db: Queryable, key: string, limit: number): Promise<number | null> {
  const toSeconds = ({ seconds }: Row) => (seconds === null ? null : Math.max(1, Math.ceil(Number(seconds))));
  return one(
    db,
    toSeconds,
    sql`
    insert into recent_uses as r (key, at) values (${key}, '{}')
    on conflict (key) do update
       set at = array(select used from unnest(r.at) used where used > clock_timestamp() - interval '1 minute' order by used)
    returning extract(epoch from at[cardinality(at) - ${limit}::int + 1] + interval '1 minute' - clock_timestamp()) as seconds`,
  );
}

/** Forgets who has made nothing for long. */
export function forgetUses(db: Queryable): Promise<number> {
  return exec(
    db,
    sql`delete from recent_uses where coalesce(at[cardinality(at)], '-infinity') < now() - interval '10 minutes'`,
  );
}
