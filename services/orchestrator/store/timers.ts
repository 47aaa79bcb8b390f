import { exec, many, one, type Pool, type Queryable, sql, transaction } from "@signalbox/common/sql.ts";
import { sqlState, sqlStates } from "@signalbox/common/sql-state.ts";

/** Makes waiting-for-time tasks claimable whose time has come (no line changes, so no key lock); how many. */
export function wakeDue(db: Queryable, limit: number): Promise<number> {
  return exec(
    db,
    sql`
    update tasks set ready = true
     where id = any (array(
       select id from tasks
        where status = 'queued' and not ready and line is distinct from 2 and run_at <= now()
          and (concurrency_key is null or line = 1)
        order by run_at limit ${limit} for update skip locked))`,
  );
}

type Due = { id: string; key: string };

/**
 * Puts tasks with a key into their lines when their own time has come; how many. A key that somebody holds for long is left for the
 * next time, and holds up no other.
 */
export async function joinDue(pool: Pool, limit: number): Promise<number> {
  const due = await many(
    pool,
    (row): Due => ({ id: row.id as string, key: row.concurrency_key as string }),
    sql`
    select id, concurrency_key from tasks
     where status = 'queued' and not ready and line is distinct from 2 and run_at <= now()
       and concurrency_key is not null and line is null
     order by run_at limit ${limit}`,
  );
  if (due.length === 0) return 0;
  const joined = await tryToJoin(pool, due);
  if (joined !== null) return joined;
  let sum = 0;
  for (const ofKey of Map.groupBy(due, ({ key }) => key).values()) sum += (await tryToJoin(pool, ofKey)) ?? 0;
  return sum;
}

/** null when somebody holds what it needs. */
async function tryToJoin(pool: Pool, due: readonly Due[]): Promise<number | null> {
  const joined = transaction(pool, async (db) => {
    await exec(db, sql`set local lock_timeout = '250ms'`);
    await exec(db, sql`select key_lock(${due.map((row) => row.key)}::text[])`);
    return one(
      db,
      (row) => row.joined as number,
      sql`select join_lines(${due.map((row) => row.id)}::uuid[]) as joined`,
    );
  });
  return joined.catch((error: unknown) => {
    if (sqlState(error) === sqlStates.lockNotAvailable) return null;
    throw error;
  });
}

/** Milliseconds until the next task is due, or its approval expires, by the database's clock; null when none waits for a time. */
export function nextDueMs(db: Queryable): Promise<number | null> {
  return one(
    db,
    (row) => (row.ms === null ? null : Math.max(0, Number(row.ms))),
    sql`
    select extract(epoch from least(
        (select min(run_at) from tasks where status = 'queued' and not ready and line is distinct from 2),
        (select min(waits_until) from tasks where status = 'waiting' and waits_until is not null)) - now()) * 1000 as ms`,
  );
}

/**
 * Gives a head to every key that has tasks in line and none in front. There should never be one; if a bug or a repair by
 * hand left one behind, it would stand still for ever.
 */
export async function repairHeads(pool: Pool): Promise<number> {
  const keys = await many(
    pool,
    (row) => row.concurrency_key as string,
    sql`
    select distinct concurrency_key from tasks b where line = 2
       and not exists (select 1 from tasks h where h.concurrency_key = b.concurrency_key and h.line = 1) limit 100`,
  );
  if (keys.length === 0) return 0;
  return transaction(pool, async (db) => {
    await exec(db, sql`select key_lock(${keys}::text[])`);
    return one(db, (row) => row.promoted as number, sql`select promote_next(${keys}::text[]) as promoted`);
  });
}

/** Waiting tasks whose approval has expired, with their versions; one that somebody has locked just now would hold up the others. */
export function listExpiredApprovals(db: Queryable, limit: number): Promise<{ id: string; version: number }[]> {
  return many(
    db,
    (row) => ({ id: row.id as string, version: row.version as number }),
    sql`
    select id, version from tasks where status = 'waiting' and waits_until is not null and waits_until < now()
     order by waits_until limit ${limit} for update skip locked`,
  );
}

/** Forgets idempotency keys older than two days, a batch at a time; how many. */
export function forgetIdempotencyKeys(db: Queryable, limit: number): Promise<number> {
  return exec(
    db,
    sql`
    delete from idempotency_keys where key = any (array(
      select key from idempotency_keys where created_at < now() - interval '48 hours' limit ${limit}))`,
  );
}
