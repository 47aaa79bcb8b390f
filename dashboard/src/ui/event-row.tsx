import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import { formatDuration } from "../domain/time.ts";
import { noteOf } from "../domain/timeline.ts";
import { actorName, kindWords, shortId } from "../domain/words.ts";
import type { EventRow, StateRow } from "../store/rows.ts";
import { JsonTree } from "./json.tsx";
import { asCell, asRow } from "./list.tsx";
import { Glyph, type Lamp } from "./status.tsx";
import { When } from "./when.tsx";

const lamps: Partial<Record<TaskEvent["kind"], Lamp>> = {
  created: "queued",
  started: "running",
  progress: "running",
  completed: "completed",
  failed: "failed",
  retry_scheduled: "warn",
  lease_expired: "warn",
  canceled: "canceled",
  approval_requested: "waiting",
  approved: "completed",
  rejected: "canceled",
  input_requested: "waiting",
  input_received: "completed",
  result_discarded: "warn",
};

export function eventLamp(kind: TaskEvent["kind"]): Lamp {
  return lamps[kind] ?? "unknown";
}

function changesOf(event: TaskEvent): string | null {
  const changes = event.data.changes;
  if (typeof changes !== "object" || changes === null) return null;
  const names = Object.keys(changes);
  return names.length === 0 ? null : names.join(", ");
}

/** What an event says beyond its kind, in one line. */
export function eventWords(event: TaskEvent): string {
  const parts: string[] = [];
  const { durationMs, percent, attempt } = event.data;
  if (typeof attempt === "number" && event.kind !== "created") parts.push(`attempt ${attempt}`);
  if (typeof durationMs === "number") parts.push(`ran ${formatDuration(durationMs)}`);
  if (typeof percent === "number") parts.push(`${Math.round(percent)} %`);
  const note = noteOf(event) ?? changesOf(event) ?? factsOf(event);
  if (note) parts.push(note);
  return parts.join(", ");
}

/** What an agent noted down of a side effect has no words of its own: its facts as they are. */
function factsOf({ kind, data }: TaskEvent): string | null {
  if (kind !== "side_effect" && kind !== "note") return null;
  const facts = Object.entries(data).filter(([name, value]) => name !== "attempt" && typeof value !== "object");
  return facts.map(([name, value]) => `${name} ${String(value)}`).join(", ") || null;
}

export function EventLine({ row, isExpanded, onToggle }: { row: EventRow; isExpanded: boolean; onToggle: () => void }) {
  const { event, task } = row;
  const lamp = eventLamp(event.kind);
  const words = kindWords(event.kind);
  return (
    <>
      <div {...asRow} class={`line event-line event-${event.kind}`}>
        <span {...asCell} class="line-time mono">
          <button
            type="button"
            class="line-toggle"
            data-focus
            aria-expanded={isExpanded}
            aria-label={`Details of: ${task.type} ${words}`}
            onClick={onToggle}
          >
            <span class="json-caret" aria-hidden="true" />
          </button>
          <When at={event.at} form="clock-ms" />
        </span>
        <span {...asCell} class={`line-level lamp-word lamp-${lamp}`}>
          <Glyph lamp={lamp} />
          <span>{words}</span>
        </span>
        <span {...asCell} class="line-source">
          {task.type}
        </span>
        <span {...asCell} class="line-text">
          <EventText row={row} />
        </span>
        <span {...asCell} class="line-id mono">
          <a href={`/tasks/${task.id}`}>{shortId(task.id)}</a>
        </span>
      </div>
      {isExpanded && <EventDetails row={row} />}
    </>
  );
}

function EventText({ row }: { row: EventRow }) {
  const { event, count } = row;
  return (
    <>
      {count > 1 && <span class="fold">{count}× </span>}
      {eventWords(event) || <span class="muted">by {actorName(event.actor)}</span>}
    </>
  );
}

function EventDetails({ row: { event, task } }: { row: EventRow }) {
  return (
    <div {...asRow} class="line-details">
      <div {...asCell}>
        <dl class="facts">
          <div class="fact">
            <dt>task</dt>
            <dd class="mono">
              <a href={`/tasks/${task.id}`}>{task.id}</a>
            </dd>
          </div>
          <div class="fact">
            <dt>by</dt>
            <dd class="mono">{event.actor}</dd>
          </div>
          <div class="fact">
            <dt>version</dt>
            <dd class="mono">{event.version}</dd>
          </div>
        </dl>
        <JsonTree value={event.data} />
      </div>
    </div>
  );
}

/** A task as it stood when the page was opened. */
export function StateLine({ row }: { row: StateRow }) {
  const { task } = row;
  return (
    <div {...asRow} class="line event-line">
      <span {...asCell} class="line-time mono">
        <span class="line-toggle" />
        <When at={row.at} form="clock-ms" />
      </span>
      <span {...asCell} class={`line-level lamp-word lamp-${task.status}`}>
        <Glyph lamp={task.status} />
        <span>{task.status}</span>
      </span>
      <span {...asCell} class="line-source">
        {task.type}
      </span>
      <span {...asCell} class="line-text">
        {row.note ?? <span class="muted">from {task.source}</span>}
      </span>
      <span {...asCell} class="line-id mono">
        <a href={`/tasks/${task.id}`} data-focus>
          {shortId(task.id)}
        </a>
      </span>
    </div>
  );
}
