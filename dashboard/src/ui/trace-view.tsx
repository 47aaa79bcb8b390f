import { runningNowMs } from "../app/clock.ts";
import { settings } from "../app/settings.ts";
import { toPreview } from "../domain/diff.ts";
import { formatClock, formatDuration } from "../domain/time.ts";
import type { Span } from "../domain/timeline.ts";
import { type TraceNode, type TraceRow, toTraceRows, toTraceScale } from "../domain/trace-rows.ts";
import { Glyph } from "./status.tsx";
import { lampOf, repeated } from "./waterfall.tsx";

function endOf(spans: readonly Span[]): number {
  const told = spans.map((span) => span.toMs ?? span.fromMs);
  return Math.max(...told, spans.some((span) => span.toMs === null) ? runningNowMs.value : 0);
}

/** All tasks of a trace on one axis, each below the one that started it. */
export function TraceWaterfall({ nodes, current }: { nodes: readonly TraceNode[]; current?: string }) {
  const rows = toTraceRows(nodes);
  const spans = rows.flatMap((row) => row.spans);
  if (spans.length === 0) return <p class="panel-body muted">Its events have not been read yet.</p>;
  const nowMs = endOf(spans);
  const scale = toTraceScale(spans, nowMs);
  const startMs = Math.min(...spans.map(({ fromMs }) => fromMs));
  return (
    <div class="waterfall waterfall-trace">
      <ol class="waterfall-rows" aria-label="Tasks of this trace">
        {rows.map((row) => (
          <TraceRowView
            key={row.kind === "task" ? row.task.id : row.key}
            row={row}
            isCurrent={row.kind === "task" && row.task.id === current}
            place={{ nowMs, toFraction: scale.toFraction }}
          />
        ))}
      </ol>
      <div class="waterfall-axis mono" aria-hidden="true">
        <span>{formatClock(startMs, settings.zone.value)}</span>
        {scale.breaks.length > 0 && <span>idle over 1 min drawn short</span>}
        <span>+{formatDuration(nowMs - startMs)}</span>
      </div>
    </div>
  );
}

type Place = { nowMs: number; toFraction: (atMs: number) => number };

function TraceRowView({ row, isCurrent, place }: { row: TraceRow; isCurrent: boolean; place: Place }) {
  const first = row.spans[0];
  const last = row.spans.at(-1);
  const lengthMs = first && last ? (last.toMs ?? place.nowMs) - first.fromMs : 0;
  return (
    <li class={isCurrent ? "waterfall-row trace-current" : "waterfall-row"}>
      <span class="waterfall-label" style={{ paddingLeft: `${Math.min(row.depth, 6) * 14}px` }}>
        <Glyph lamp={row.kind === "task" ? row.task.status : "completed"} />
        {row.kind === "task" ? (
          <a class="clip" href={`/tasks/${row.task.id}`} data-focus aria-current={isCurrent ? "true" : undefined}>
            {row.task.type} <span class="muted">{toPreview(row.task.payload, 40)}</span>
            <span class="hidden">, {row.task.status}</span>
          </a>
        ) : (
          <span class="clip">
            {row.count} × {row.type}
          </span>
        )}
      </span>
      <span class="waterfall-lane">
        {row.spans.map((span) => (
          <TraceBar key={span.eventId} span={span} place={place} taskId={row.kind === "task" ? row.task.id : null} />
        ))}
      </span>
      <span class="waterfall-length">{formatDuration(lengthMs)}</span>
    </li>
  );
}

function TraceBar({ span, place, taskId }: { span: Span; place: Place; taskId: string | null }) {
  const { nowMs, toFraction } = place;
  const left = toFraction(span.fromMs) * 100;
  const width = Math.max(0, toFraction(span.toMs ?? nowMs) * 100 - left);
  const title = `${span.label} ${formatDuration((span.toMs ?? nowMs) - span.fromMs)}${span.note ? `: ${span.note}` : ""}`;
  const look = {
    class: `bar bar-${span.kind} lamp-${lampOf(span)}`,
    style: { left: `${left}%`, width: `${width}%` },
    title,
  };
  if (taskId === null) return <span {...look} />;
  return <a {...look} {...repeated} href={`/tasks/${taskId}?tab=events&event=${span.eventId}`} />;
}
