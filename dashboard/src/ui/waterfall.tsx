import { nowMs } from "../app/clock.ts";
import { settings } from "../app/settings.ts";
import { formatClock, formatDuration } from "../domain/time.ts";
import { type Span, toScale } from "../domain/timeline.ts";
import { Glyph, type Lamp } from "./status.tsx";

function lampOf(span: Span): Lamp {
  if (span.kind === "approval" || span.kind === "input") return "waiting";
  if (span.kind !== "attempt") return "queued";
  if (span.outcome === "lost") return "failed";
  return span.outcome ?? "unknown";
}

function wordsOf(span: Span, endMs: number): string {
  const length = formatDuration(endMs - span.fromMs);
  const open = span.toMs === null ? `${length} so far` : length;
  return span.outcome === "lost" ? `${open}, lease expired` : open;
}

/** A task's life as bars on one axis; idle stretches over a minute are drawn short and marked. */
export function Waterfall({ spans }: { spans: readonly Span[] }) {
  const now = Math.max(nowMs.value, ...spans.map((span) => span.toMs ?? span.fromMs));
  const scale = toScale(spans, now);
  const first = spans[0];
  if (!first) return null;
  return (
    <div class="waterfall">
      <ol class="waterfall-rows" aria-label="Timeline">
        {spans.map((span) => (
          <WaterfallRow key={span.eventId} span={span} nowMs={now} toFraction={scale.toFraction} />
        ))}
      </ol>
      <div class="waterfall-axis mono" aria-hidden="true">
        <span>{formatClock(first.fromMs, settings.zone.value)}</span>
        {scale.breaks.length > 0 && <span>idle over 1 min drawn short</span>}
        <span>+{formatDuration(scale.totalMs)}</span>
      </div>
    </div>
  );
}

type RowProps = { span: Span; nowMs: number; toFraction: (atMs: number) => number };

function WaterfallRow({ span, nowMs: now, toFraction }: RowProps) {
  const endMs = span.toMs ?? now;
  const left = toFraction(span.fromMs) * 100;
  const width = Math.max(0, toFraction(endMs) * 100 - left);
  const side = left + width > 70 ? "before" : "after";
  const lamp = lampOf(span);
  return (
    <li class="waterfall-row">
      <span class="waterfall-label">
        <Glyph lamp={lamp} />
        <span>{span.label}</span>
      </span>
      <span class="waterfall-lane">
        <span class={`bar bar-${span.kind} lamp-${lamp}`} style={{ left: `${left}%`, width: `${width}%` }}>
          {span.marks.map((mark) => (
            <MarkTick
              key={`${mark.atMs}${mark.kind}`}
              text={`${mark.kind.replaceAll("_", " ")}: ${mark.text}`}
              at={(toFraction(mark.atMs) * 100 - left) / (width || 1)}
            />
          ))}
        </span>
        <span
          class={`bar-words bar-words-${side}`}
          style={side === "after" ? { left: `${left + width}%` } : { right: `${100 - left}%` }}
        >
          {wordsOf(span, endMs)}
          {span.note ? <span class="bar-note">, {span.note}</span> : null}
        </span>
      </span>
    </li>
  );
}

function MarkTick({ text, at }: { text: string; at: number }) {
  return <span class="bar-mark" title={text} style={{ left: `${Math.min(100, Math.max(0, at * 100))}%` }} />;
}
