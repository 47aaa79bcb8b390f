import type { TaskStats } from "@signalbox/common/contracts/stats.ts";
import { useCallback, useMemo } from "preact/hooks";
import { settings } from "../app/settings.ts";
import { fillBuckets } from "../domain/stats.ts";
import { formatDateTime, formatDuration } from "../domain/time.ts";
import { formatCount } from "../domain/words.ts";
import { Legend } from "../ui/legend.tsx";
import { Panel } from "../ui/parts.tsx";
import { Plot } from "../ui/plot.tsx";
import type { PlotShape } from "../ui/plot-draw.ts";

function toShape(stats: TaskStats): PlotShape {
  const buckets = fillBuckets(stats);
  // Failed bars stand in front of all ended ones, so that both are seen from one axis.
  return {
    at: buckets.map(({ at }) => Date.parse(at)),
    lines: [
      { label: "ended", token: "completed", kind: "bars", values: buckets.map((one) => one.completed + one.failed) },
      { label: "failed", token: "failed", kind: "bars", values: buckets.map((one) => one.failed || null) },
      { label: "made", token: "accent", kind: "line", values: buckets.map((one) => one.created) },
    ],
    format: (value) => formatCount(value),
  };
}

const tasksBetween = (sinceMs: number, untilMs: number) =>
  `/tasks?${new URLSearchParams({ since: new Date(sinceMs).toISOString(), until: new Date(untilMs).toISOString() })}`;

/** What was made and how it ended, over time. */
export function ThroughputPanel({ stats, meta }: { stats: TaskStats; meta?: string }) {
  const shape = useMemo(() => toShape(stats), [stats]);
  const zone = settings.zone.value;
  const hrefAt = useCallback((atMs: number) => tasksBetween(atMs, atMs + stats.bucketMs), [stats.bucketMs]);
  return (
    <Panel title="Tasks over time" meta={meta ?? `bars of ${formatDuration(stats.bucketMs)}`}>
      <div class="panel-body">
        <Plot
          label="Tasks made, completed and failed over time"
          shape={shape}
          hrefAt={hrefAt}
          table={{
            hrefs: stats.buckets.map(({ at }) => hrefAt(Date.parse(at))),
            head: ["From", "Made", "Completed", "Failed", "Canceled"],
            rows: stats.buckets.map((one) => [
              formatDateTime(one.at, zone),
              ...[one.created, one.completed, one.failed, one.canceled].map(formatCount),
            ]),
          }}
        >
          <Legend
            items={[
              ["completed", "completed"],
              ["failed", "failed"],
              ["accent", "made"],
            ]}
          />
        </Plot>
      </div>
    </Panel>
  );
}
