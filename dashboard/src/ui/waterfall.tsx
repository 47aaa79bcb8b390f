import { runningNowMs } from "../app/clock.ts";
import { settings } from "../app/settings.ts";
import { formatClock, formatDuration } from "../domain/time.ts";
import { type Span, toScale } from "../domain/timeline.ts";
import { Glyph, type Lamp } from "./status.tsx";

export function lampOf(span: Span): Lamp {
  if (span.kind === "approval" || span.kind === "input") return "waiting";
  if (span.kind !== "attempt") return "queued";
  if (span.outcome === "lost") return "failed";
  return span.outcome ?? "unknown";
}

const NOTE_ROOM = 35;

/** What an attempt ended with stands beside its bar, on the side that has room; it is always in the list of events too. */
function BarNote({ span, left, right }: { span: Span; left: number; right: number }) {
  const words = span.outcome === "lost" ? "lease expired" : span.note;
  if (!words || Math.max(left, 100 - right) < NOTE_ROOM) return null;
  const isAfter = 100 - right >= left;
  const place = isAfter ? { left: `${right}%`, right: "0" } : { left: "0", right: `${100 - left}%` };
  return (
    <span class={isAfter ? "bar-note" : "bar-note bar-note-before"} style={place}>
      {words}
    </span>
  );
}

/** Where the axis ends: now while something goes on, but never before what was told already. */
function endOf(spans: readonly Span[]): number {
  const told = spans.flatMap((span) => [span.toMs ?? span.fromMs, ...span.marks.map(({ atMs }) => atMs)]);
  const isOpen = spans.some((span) => span.toMs === null);
  return Math.max(...told, isOpen ? runningNowMs.value : 0);
}

/** A task's life as bars on one axis; idle stretches over a minute are drawn short and marked. */
export function Waterfall({ spans }: { spans: readonly Span[] }) {
  const now = endOf(spans);
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

const eventHref = ({ eventId }: Span) => `?tab=events&event=${eventId}`;

/** A bar leads where its row's name does, which is the one of them that keyboard and screen readers meet. */
export const repeated = { tabIndex: -1, "aria-hidden": true } as const;

type RowProps = { span: Span; nowMs: number; toFraction: (atMs: number) => number };

function WaterfallRow({ span, nowMs: now, toFraction }: RowProps) {
  const endMs = span.toMs ?? now;
  const left = toFraction(span.fromMs) * 100;
  const width = Math.max(0, toFraction(endMs) * 100 - left);
  const lamp = lampOf(span);
  return (
    <li class="waterfall-row">
      <span class="waterfall-label">
        <Glyph lamp={lamp} />
        <a href={eventHref(span)} title="The event that began it">
          {span.label}
        </a>
      </span>
      <span class="waterfall-lane">
        <a
          class={`bar bar-${span.kind} lamp-${lamp}`}
          href={eventHref(span)}
          style={{ left: `${left}%`, width: `${width}%` }}
          {...repeated}
        >
          {drawnMarks(span).map((mark) => (
            <MarkTick
              key={`${mark.atMs}${mark.kind}`}
              text={`${mark.kind.replaceAll("_", " ")}: ${mark.text}`}
              at={(toFraction(mark.atMs) * 100 - left) / (width || 1)}
            />
          ))}
        </a>
        <BarNote span={span} left={left} right={left + width} />
      </span>
      <span class="waterfall-length">{formatDuration(endMs - span.fromMs)}</span>
    </li>
  );
}

const MOST_MARKS = 40;

/** Steady progress in hundreds of steps says no more than the bar; what else happened stays marked. */
function drawnMarks({ marks }: Span): Span["marks"] {
  return marks.length > MOST_MARKS ? marks.filter(({ kind }) => kind !== "progress") : marks;
}

function MarkTick({ text, at }: { text: string; at: number }) {
  return <span class="bar-mark" title={text} style={{ left: `${Math.min(100, Math.max(0, at * 100))}%` }} />;
}
