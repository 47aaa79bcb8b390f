import type { Percentiles, Rate, TaskStats } from "@signalbox/common/contracts/stats.ts";
import { many, one, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";

/** A span of creation times. */
export type Span = { sinceMs: number; untilMs: number };

/** All but the window, which who asks knows. */
export type SpanStats = Omit<TaskStats, "since" | "until" | "bucketMs">;

/**
 * Figures over the tasks that were created in a span: one pass over the index of creation times, so a long history costs nothing.
 *
 * @param bucketMs width of a bucket of the histogram
 */
export async function readTaskStats(db: Queryable, span: Span, bucketMs: number): Promise<SpanStats> {
  const since = new Date(span.sinceMs);
  const until = new Date(span.untilMs);
  const [counts, times, buckets] = await Promise.all([
    many(
      db,
      toCount,
      sql`
      select type, agent, status, count(*)::int as count from tasks
       where created_at >= ${since} and created_at < ${until} group by 1, 2, 3`,
    ),
    one(
      db,
      toTimes,
      sql`
      with spans as (
        select extract(epoch from started_at - greatest(created_at, run_at)) * 1000 as wait_ms,
               extract(epoch from finished_at - started_at) * 1000 as run_ms
          from tasks where created_at >= ${since} and created_at < ${until} and started_at is not null
      ) select percentile_cont(array[0.5, 0.95, 0.99]) within group (order by greatest(wait_ms, 0)) as waits,
               percentile_cont(array[0.5, 0.95, 0.99]) within group (order by run_ms) as runs from spans`,
    ),
    many(
      db,
      toBucket,
      sql`
      select to_timestamp(floor(extract(epoch from created_at) * 1000 / ${bucketMs}) * ${bucketMs} / 1000.0) as at,
             count(*)::int as created, count(*) filter (where status = 'completed')::int as completed,
             count(*) filter (where status = 'failed')::int as failed, count(*) filter (where status = 'canceled')::int as canceled
        from tasks where created_at >= ${since} and created_at < ${until} group by 1 order by 1`,
    ),
  ]);
  return { ...toTotals(counts), ...times, buckets };
}

type Count = { type: string; agent: string | null; status: string; count: number };

function toCount(row: Row): Count {
  return {
    type: row.type as string,
    agent: row.agent as string | null,
    status: row.status as string,
    count: row.count as number,
  };
}

function toTimes(row: Row): { waitMs: Percentiles; runMs: Percentiles } {
  return { waitMs: toPercentiles(row.waits), runMs: toPercentiles(row.runs) };
}

function toPercentiles(value: unknown): Percentiles {
  const [p50 = null, p95 = null, p99 = null] = ((value ?? []) as (number | null)[]).map((ms) =>
    ms === null ? null : Math.round(ms * 10) / 10,
  );
  return { p50, p95, p99 };
}

function toBucket(row: Row): TaskStats["buckets"][number] {
  return {
    at: (row.at as Date).toISOString(),
    created: row.created as number,
    completed: row.completed as number,
    failed: row.failed as number,
    canceled: row.canceled as number,
  };
}

function toTotals(counts: readonly Count[]): Pick<SpanStats, "total" | "byStatus" | "byType" | "success"> {
  const byStatus = sumBy(counts, (row) => row.status);
  const byType = Object.fromEntries(
    [...Map.groupBy(counts, (row) => row.type)].map(([type, rows]) => [type, sumBy(rows, (row) => row.status)]),
  );
  const total = counts.reduce((sum, row) => sum + row.count, 0);
  return {
    total,
    byStatus,
    byType,
    success: { byType: toRates(counts, (row) => row.type), byAgent: toRates(counts, (row) => row.agent) },
  };
}

function sumBy(rows: readonly Count[], keyOf: (row: Count) => string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const row of rows) sums[keyOf(row)] = (sums[keyOf(row)] ?? 0) + row.count;
  return sums;
}

function toRates(counts: readonly Count[], keyOf: (row: Count) => string | null): Record<string, Rate> {
  const groups = Map.groupBy(counts, keyOf);
  groups.delete(null);
  return Object.fromEntries([...groups].map(([key, rows]) => [key as string, toRate(rows)]));
}

function toRate(rows: readonly Count[]): Rate {
  const { completed = 0, failed = 0 } = sumBy(rows, (row) => row.status);
  return { completed, failed, successRate: completed + failed === 0 ? null : completed / (completed + failed) };
}
