import { exec, many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { Track } from "../track.ts";

export type MonitorState = {
  monitor: string;
  version: number;
  /** of what the series is made of */
  shape: string;
  /** ms; null before the first bucket */
  judgedUntil: number | null;
  tracks: Record<string, Track>;
  /** runs in a row that could not read the series */
  failures: number;
  error: string | null;
  ranAt: number | null;
  succeededAt: number | null;
  nextTryAt: number | null;
};

const toMsOrNull = (value: unknown) => (value === null ? null : (value as Date).getTime());

function toState(row: Row): MonitorState {
  return {
    monitor: String(row.monitor),
    version: Number(row.version),
    shape: String(row.shape),
    judgedUntil: toMsOrNull(row.judged_until),
    tracks: row.tracks as Record<string, Track>,
    failures: Number(row.failures),
    error: row.error === null ? null : String(row.error),
    ranAt: toMsOrNull(row.ran_at),
    succeededAt: toMsOrNull(row.succeeded_at),
    nextTryAt: toMsOrNull(row.next_try_at),
  };
}

export function listStates(db: Queryable): Promise<MonitorState[]> {
  return many(db, toState, sql`select * from watch_states`);
}

/** Makes the states that are missing, and begins those anew whose series is another; what was read of the old one goes. */
export async function ensureStates(
  db: Queryable,
  shapes: readonly { monitor: string; shape: string }[],
): Promise<string[]> {
  const [names, wanted] = [shapes.map(({ monitor }) => monitor), shapes.map(({ shape }) => shape)];
  await exec(
    db,
    sql`
    insert into watch_states (monitor, shape) select * from unnest(${names}::text[], ${wanted}::text[])
    on conflict (monitor) do nothing`,
  );
  const changed = await many(
    db,
    (row) => String(row.monitor),
    sql`
    update watch_states s set shape = u.shape, judged_until = null, tracks = '{}', failures = 0, error = null, next_try_at = null,
           version = version + 1
      from unnest(${names}::text[], ${wanted}::text[]) as u (monitor, shape)
     where s.monitor = u.monitor and s.shape <> u.shape
    returning s.monitor`,
  );
  if (changed.length > 0) await exec(db, sql`delete from watch_buckets where monitor = any(${changed}::text[])`);
  return changed;
}

export type Advance = {
  monitor: string;
  version: number;
  judgedUntil: number;
  tracks: Record<string, Track>;
};

/**
 * Moves monitors on that are still where their run began.
 *
 * @returns the names of those that were moved; whoever is missing was judged by somebody else meanwhile
 */
export function advanceStates(db: Queryable, advances: readonly Advance[], now: number): Promise<string[]> {
  const at = new Date(now).toISOString();
  return many(
    db,
    (row) => String(row.monitor),
    sql`
    update watch_states s
       set judged_until = u.judged_until, tracks = u.tracks, version = s.version + 1, failures = 0, error = null,
           ran_at = ${at}, succeeded_at = ${at}, next_try_at = null
      from unnest(${advances.map(({ monitor }) => monitor)}::text[], ${advances.map(({ version }) => version)}::bigint[],
                  ${advances.map(({ judgedUntil }) => new Date(judgedUntil).toISOString())}::timestamptz[],
                  ${advances.map(({ tracks }) => JSON.stringify(tracks))}::jsonb[]) as u (monitor, version, judged_until, tracks)
     where s.monitor = u.monitor and s.version = u.version
    returning s.monitor`,
  );
}

/** A run that could not read a series: nothing is judged, and the next try is later. */
export function noteFailure(
  db: Queryable,
  { monitor, error, now, nextTryAt }: { monitor: string; error: string; now: number; nextTryAt: number },
): Promise<{ failures: number } | null> {
  return maybeOne(
    db,
    (row) => ({ failures: Number(row.failures) }),
    sql`
    update watch_states set failures = failures + 1, error = ${error.slice(0, 1_000)}, ran_at = ${new Date(now).toISOString()},
           next_try_at = ${new Date(nextTryAt).toISOString()}
     where monitor = ${monitor} returning failures`,
  );
}
