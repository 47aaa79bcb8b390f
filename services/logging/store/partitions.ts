import { exec, many, one, type Pool, type Queryable, rawSql, sql } from "@signalbox/common/sql.ts";
import type { Partition } from "../retention.ts";
import type { DroppedDay } from "../stats.ts";

/** Makes the partition of a day, unless it exists. Blocks nobody. */
export function ensurePartition(db: Queryable, day: string): Promise<boolean> {
  return one(db, (row) => row.made === true, sql`select ensure_log_partition(${day}::date) as made`);
}

/** Today's, and those of the days ahead; how many were missing. */
export function ensurePartitionsAhead(db: Queryable, days: number): Promise<number> {
  return one(db, (row) => Number(row.made), sql`select ensure_log_partitions(0, ${days}) as made`);
}

export function listPartitions(db: Queryable): Promise<Partition[]> {
  return many(
    db,
    (row) => ({
      name: row.name as string,
      day: row.day as string,
      state: row.state as Partition["state"],
      rowsEstimate: Number(row.rows_estimate),
      sizeBytes: Number(row.size_bytes),
    }),
    sql`select c.relname as name, to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day,
               case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'detaching' else 'attached' end as state,
               greatest(c.reltuples, 0)::bigint as rows_estimate, pg_total_relation_size(c.oid) as size_bytes
          from pg_class parent
          join pg_class c on c.relnamespace = parent.relnamespace and c.relname ~ '^logs_[0-9]{8}$' and c.relkind = 'r'
          left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = parent.oid
         where parent.oid = 'logs'::regclass
         order by c.relname`,
  );
}

/**
 * Drops a day without holding up a writer or a reader: detaching `concurrently` only waits for those who are using it, and
 * what is detached is nobody's. A crash at each step: noted and not detached (streams are told of a gap that is none yet; the
 * drop is repeated); detaching not finished (`finalize` finishes it); detached and not dropped (the table remains, empty of
 * use, and is found by its name).
 */
export async function dropPartition(
  pool: Pool,
  { name, day, state, rowsEstimate, sizeBytes }: Partition,
): Promise<void> {
  // A name that `listPartitions` has checked; it cannot be a parameter.
  const table = rawSql(name);
  await exec(
    pool,
    sql`insert into log_drops (day, upto_seq, rows_estimate, size_bytes)
        select ${day}::date, coalesce(max(seq), 0), ${rowsEstimate}, ${sizeBytes} from ${table}
        on conflict (day) do update set upto_seq = greatest(log_drops.upto_seq, excluded.upto_seq), dropped_at = now()`,
  );
  if (state !== "detached") {
    const how = rawSql(state === "detaching" ? "finalize" : "concurrently");
    await exec(pool, sql`alter table logs detach partition ${table} ${how}`);
  }
  await exec(pool, sql`drop table ${table}`);
}

/** A stream's position below this may have missed records that retention has dropped. */
export function droppedUpTo(db: Queryable): Promise<number> {
  return one(db, (row) => Number(row.seq), sql`select coalesce(max(upto_seq), 0) as seq from log_drops`);
}

/** What retention has dropped last, the newest drop first. */
export function listDrops(db: Queryable, limit: number): Promise<DroppedDay[]> {
  return many(
    db,
    (row) => ({
      day: row.day as string,
      rowsEstimate: Number(row.rows_estimate),
      sizeBytes: Number(row.size_bytes),
      droppedAt: (row.dropped_at as Date).toISOString(),
    }),
    sql`select to_char(day, 'YYYY-MM-DD') as day, rows_estimate, size_bytes, dropped_at
          from log_drops order by dropped_at desc, day desc limit ${limit}`,
  );
}

/** What the history of tasks takes on disk, which nothing ever drops. */
export function readHistoryBytes(db: Queryable): Promise<number> {
  return one(
    db,
    (row) => Number(row.bytes),
    sql`select sum(pg_total_relation_size(name::regclass)) as bytes
          from unnest(array['tasks', 'task_events', 'outcome_events']) name`,
  );
}
