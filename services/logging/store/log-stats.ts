import { type LogFilter, logLevels } from "@signalbox/common/contracts/log.ts";
import { joinSql, many, type Queryable, rawSql, sql } from "@signalbox/common/sql.ts";
import type { LogStats } from "../stats.ts";
import { toConditions } from "./read-logs.ts";

/** Both ends are inclusive; a bucket is `bucketSeconds` long and begins at a multiple of it. */
export type StatsRange = { since: string; until: string; bucketSeconds: number };

type Counts = Pick<LogStats, "days" | "buckets">;

/** Counts rows by day and service and by bucket and level, in one pass over the range. Bytes are those of message and data. */
export async function countLogs(db: Queryable, range: StatsRange, filter: LogFilter): Promise<Counts> {
  const { since, until, bucketSeconds } = range;
  const conditions = toConditions({ ...filter, since, until });
  const rows = await many(
    db,
    (row) => ({
      day: row.day as string | null,
      service: row.service as string | null,
      bucket: row.bucket as Date | null,
      level: logLevels[row.level as number] ?? "info",
      rows: Number(row.rows),
      bytes: Number(row.bytes),
    }),
    sql`with found as (
          select to_char(at at time zone 'utc', 'YYYY-MM-DD') as day, service, level,
                 date_bin(${bucketSeconds} * interval '1 second', at, 'epoch') as bucket,
                 octet_length(message) + pg_column_size(data) as bytes
            from logs where ${joinSql(conditions, " and ")}
        )
        select day, service, bucket, level, count(*) as rows, coalesce(sum(bytes), 0) as bytes
          from found group by grouping sets (${rawSql("(day, service), (bucket, level)")})
         order by day, service, bucket, level`,
  );
  const days = rows.flatMap(({ day, service, rows, bytes }) => (day && service ? [{ day, service, rows, bytes }] : []));
  const buckets = new Map<string, LogStats["buckets"][number]>();
  for (const { bucket, level, rows: count } of rows) {
    if (bucket === null) continue;
    const at = bucket.toISOString();
    const known = buckets.get(at) ?? { at, rows: 0, levels: {} };
    known.rows += count;
    known.levels[level] = count;
    buckets.set(at, known);
  }
  return { days, buckets: [...buckets.values()] };
}
