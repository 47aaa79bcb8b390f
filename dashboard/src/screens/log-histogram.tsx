import { useSignal } from "@preact/signals";
import { serverNow } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { useReloadOn } from "../app/items.ts";
import { useQuery } from "../app/query.ts";
import { settings } from "../app/settings.ts";
import { type Term, toApi, withValues } from "../domain/filter.ts";
import { formatClock, formatDuration, formatMoment } from "../domain/time.ts";
import { logVocabulary } from "../domain/vocabularies.ts";
import { countOf, formatCount } from "../domain/words.ts";

type Bucket = { at: string; rows: number; levels: Record<string, number> };
type Stats = { since: string; until: string; bucketSeconds: number; rows: number; buckets: Bucket[] };

const DEFAULT_SPAN_MS = 3_600_000;
const CALM_MS = 30_000;
const HEIGHT = 44;
const WIDTH = 1_000;

/** What the filter matches over time, by level; a click on a bar is its time, dragging over some narrows the range. */
export function LogHistogram({ terms, onRange }: { terms: readonly Term[]; onRange: (terms: Term[]) => void }) {
  const app = useApp();
  const query = useQuery<Stats>(`stats ${JSON.stringify(terms)}`, (signal) => {
    const { query: asked } = toApi(terms, logVocabulary, serverNow());
    const since = asked.since ?? new Date(serverNow() - DEFAULT_SPAN_MS).toISOString();
    return app.rest.call("logging", "/logs/stats", { query: { ...asked, since }, signal });
  });
  useReloadOn(query.reload, (batch) => {
    const ageMs = Date.now() - (query.state.peek().loadedAtMs ?? 0);
    return ageMs > CALM_MS && batch.rows.some(({ kind }) => kind === "log");
  });
  const stats = query.state.value.data;
  if (!stats) return <div class="histogram" />;
  const narrow = (sinceMs: number, untilMs: number) => {
    const open = withValues(terms, "since", [new Date(sinceMs).toISOString()]);
    onRange(withValues(open, "until", [new Date(untilMs).toISOString()]));
  };
  return <Bars stats={stats} onNarrow={narrow} />;
}

const groups: readonly [className: string, levels: readonly string[]][] = [
  ["bar-failed", ["fatal", "error"]],
  ["bar-warn", ["warn"]],
  ["bar-plain", ["info", "debug", "trace"]],
];

const sumOf = (bucket: Bucket, levels: readonly string[]) =>
  levels.reduce((sum, level) => sum + (bucket.levels[level] ?? 0), 0);

/** When the bar over an instant begins; null where there is none. */
function bucketBegin({ buckets, bucketSeconds }: Stats, atMs: number): number | null {
  const begins = buckets.map(({ at }) => Date.parse(at));
  return begins.find((beginMs) => beginMs <= atMs && atMs < beginMs + bucketSeconds * 1_000) ?? null;
}

type Drag = { from: number; to: number } | null;

function Bars({ stats, onNarrow }: { stats: Stats; onNarrow: (sinceMs: number, untilMs: number) => void }) {
  const drag = useSignal<Drag>(null);
  const sinceMs = Date.parse(stats.since);
  const spanMs = Math.max(1, Date.parse(stats.until) - sinceMs);
  const zone = settings.zone.value;
  const most = Math.max(1, ...stats.buckets.map(({ rows }) => rows));
  const at = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const openBar = (atMs: number) => {
    const beginMs = bucketBegin(stats, atMs);
    if (beginMs !== null) onNarrow(beginMs, beginMs + stats.bucketSeconds * 1_000);
  };
  const end = () => {
    const held = drag.value;
    drag.value = null;
    if (!held) return;
    if (Math.abs(held.to - held.from) < 0.01) return openBar(sinceMs + held.to * spanMs);
    const [low, high] = [Math.min(held.from, held.to), Math.max(held.from, held.to)];
    onNarrow(Math.round(sinceMs + low * spanMs), Math.round(sinceMs + high * spanMs));
  };
  const failed = stats.buckets.reduce((sum, bucket) => sum + sumOf(bucket, ["fatal", "error"]), 0);
  const label = `${countOf(stats.rows, "record")} in ${formatDuration(spanMs)}, ${formatCount(failed)} of them errors`;
  return (
    <div class="histogram">
      <svg
        role="img"
        aria-label={label}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          drag.value = { from: at(event), to: at(event) };
        }}
        onPointerMove={(event) => {
          if (drag.value) drag.value = { ...drag.value, to: at(event) };
        }}
        onPointerUp={end}
        onPointerCancel={() => {
          drag.value = null;
        }}
      >
        {stats.buckets.map((bucket) => (
          <BucketBar key={bucket.at} bucket={bucket} stats={stats} most={most} />
        ))}
        {drag.value && (
          <rect
            class="histogram-drag"
            x={Math.min(drag.value.from, drag.value.to) * WIDTH}
            width={Math.abs(drag.value.to - drag.value.from) * WIDTH}
            y="0"
            height={HEIGHT}
          />
        )}
      </svg>
      <p class="histogram-axis">
        <span>{formatMoment(sinceMs, sinceMs + spanMs, zone)}</span>
        <span>
          {countOf(stats.rows, "record")}
          {failed > 0 && <span class="lamp-failed">, {countOf(failed, "error")}</span>}
        </span>
        <span>{formatClock(sinceMs + spanMs, zone)}</span>
      </p>
    </div>
  );
}

function BucketBar({ bucket, stats, most }: { bucket: Bucket; stats: Stats; most: number }) {
  const sinceMs = Date.parse(stats.since);
  const spanMs = Date.parse(stats.until) - sinceMs;
  const x = ((Date.parse(bucket.at) - sinceMs) / spanMs) * WIDTH;
  const width = Math.max(2, ((stats.bucketSeconds * 1000) / spanMs) * WIDTH - 1);
  let top = HEIGHT;
  const zone = settings.zone.value;
  return (
    <g>
      <title>
        {`${formatClock(Date.parse(bucket.at), zone)}, ${countOf(bucket.rows, "record")}: click for its time, drag for more`}
      </title>
      {groups.map(([name, levels]) => {
        const count = sumOf(bucket, levels);
        if (count === 0) return null;
        const height = Math.max(1.5, (count / most) * (HEIGHT - 4));
        top -= height;
        return <rect key={name} class={name} x={x} y={top} width={width} height={height} />;
      })}
      <rect class="bar-reach" x={x} y="0" width={width} height={HEIGHT} />
    </g>
  );
}
