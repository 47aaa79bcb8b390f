import { exec, many, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";

export type Bucket = {
  monitor: string;
  series: string;
  /** ms */
  at: number;
  firstValue: number;
  value: number;
  volume: number | null;
  expected: number | null;
  low: number | null;
  high: number | null;
  score: number | null;
  isOrdinary: boolean;
};

const toNumber = (value: unknown) => (value === null ? null : Number(value));

function toBucket(row: Row): Bucket {
  return {
    monitor: String(row.monitor),
    series: String(row.series),
    at: (row.at as Date).getTime(),
    firstValue: Number(row.first_value),
    value: Number(row.value),
    volume: toNumber(row.volume),
    expected: toNumber(row.expected),
    low: toNumber(row.low),
    high: toNumber(row.high),
    score: toNumber(row.score),
    isOrdinary: row.is_ordinary === true,
  };
}

/** Oldest first, of all series. */
export function listBuckets(
  db: Queryable,
  { monitor, from, to }: { monitor: string; from: number; to: number },
): Promise<Bucket[]> {
  return many(
    db,
    toBucket,
    sql`
    select * from watch_buckets
     where monitor = ${monitor} and at >= ${new Date(from).toISOString()} and at < ${new Date(to).toISOString()}
     order by at, series`,
  );
}

/** Puts buckets in; one that is known keeps what was said of it when it was judged. */
export async function insertBuckets(db: Queryable, buckets: readonly Bucket[]): Promise<number> {
  if (buckets.length === 0) return 0;
  const column = <T>(pick: (bucket: Bucket) => T) => buckets.map(pick);
  return exec(
    db,
    sql`
    insert into watch_buckets (monitor, series, at, first_value, value, volume, expected, low, high, score, is_ordinary)
    select * from unnest(${column((one) => one.monitor)}::text[], ${column((one) => one.series)}::text[],
      ${column((one) => new Date(one.at).toISOString())}::timestamptz[], ${column((one) => one.firstValue)}::float8[],
      ${column((one) => one.value)}::float8[], ${column((one) => one.volume)}::float8[], ${column((one) => one.expected)}::float8[],
      ${column((one) => one.low)}::float8[], ${column((one) => one.high)}::float8[], ${column((one) => one.score)}::float8[],
      ${column((one) => one.isOrdinary)}::boolean[])
    on conflict (monitor, series, at) do nothing`,
  );
}

export type Revision = { monitor: string; series: string; at: number; value: number; volume: number | null };

/** What arrived late: the newest value is kept beside the first. Answers the buckets that are another now. */
export async function reviseBuckets(db: Queryable, revisions: readonly Revision[]): Promise<Bucket[]> {
  if (revisions.length === 0) return [];
  return many(
    db,
    toBucket,
    sql`
    update watch_buckets b set value = u.value, volume = u.volume, revised_at = now()
      from unnest(${revisions.map(({ monitor }) => monitor)}::text[], ${revisions.map(({ series }) => series)}::text[],
                  ${revisions.map(({ at }) => new Date(at).toISOString())}::timestamptz[],
                  ${revisions.map(({ value }) => value)}::float8[], ${revisions.map(({ volume }) => volume)}::float8[])
           as u (monitor, series, at, value, volume)
     where b.monitor = u.monitor and b.series = u.series and b.at = u.at and b.value <> u.value
    returning b.*`,
  );
}

/** What lies before a step is as if it had always been at the new level, and the days since the step may be learned from. */
export async function restateBuckets(
  db: Queryable,
  { monitor, series, since, factor }: { monitor: string; series: string; since: number; factor: number | null },
): Promise<void> {
  const at = new Date(since).toISOString();
  await exec(
    db,
    sql`
    update watch_buckets set is_ordinary = true where monitor = ${monitor} and series = ${series} and at >= ${at} and score is not null`,
  );
  if (factor === null) return;
  await exec(
    db,
    sql`update watch_buckets set value = value * ${factor} where monitor = ${monitor} and series = ${series} and at < ${at}`,
  );
}

/** The largest moves of a time, one a monitor; whether or not anything came of them. */
export function listMoves(
  db: Queryable,
  { from, to, limit }: { from: number; to: number; limit: number },
): Promise<Bucket[]> {
  return many(
    db,
    toBucket,
    sql`
    select * from (
      select distinct on (monitor) * from watch_buckets
       where at >= ${new Date(from).toISOString()} and at < ${new Date(to).toISOString()} and expected is not null and is_ordinary
       order by monitor, abs(score) desc
    ) as moves order by abs(score) desc limit ${limit}`,
  );
}

/** Nobody looks at what is older than any history. */
export function forgetBuckets(db: Queryable, before: number): Promise<number> {
  return exec(db, sql`delete from watch_buckets where at < ${new Date(before).toISOString()}`);
}
