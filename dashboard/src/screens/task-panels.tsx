import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { useApp } from "../app/context.ts";
import { search } from "../app/router.ts";
import { isPhone } from "../app/viewport.ts";
import { toCurl } from "../domain/curl.ts";
import { toPreview } from "../domain/diff.ts";
import { formatDuration } from "../domain/time.ts";
import { toSpans } from "../domain/timeline.ts";
import { actorName, countOf, kindWords, shortId } from "../domain/words.ts";
import { sizeOf } from "../store/ring.ts";
import { eventLamp, eventWords } from "../ui/event-row.tsx";
import { JsonTree } from "../ui/json.tsx";
import { LogLine } from "../ui/log-row.tsx";
import { Empty, Panel, QueryNote } from "../ui/parts.tsx";
import { Glyph, StatusWord } from "../ui/status.tsx";
import { TailList } from "../ui/tail.tsx";
import { CopyButton } from "../ui/toast.tsx";
import { Waterfall } from "../ui/waterfall.tsx";
import { Age, When } from "../ui/when.tsx";
import { useLogTail } from "./log-tail.ts";

export function TimelinePanel({ task, events }: { task: Task; events: readonly TaskEvent[] }) {
  const spans = toSpans(events, task);
  return (
    <Panel title="Timeline" meta={task.finishedAt ? "from creation to end" : "from creation to now"}>
      {spans.length > 0 ? (
        <Waterfall spans={spans} />
      ) : (
        <p class="panel-body muted">Its events have not been read yet.</p>
      )}
    </Panel>
  );
}

type Fold = { event: TaskEvent; count: number };

/** Consecutive progress as one line, its newest. */
function foldEvents(events: readonly TaskEvent[]): Fold[] {
  const folds: Fold[] = [];
  for (const event of events) {
    const last = folds[folds.length - 1];
    if (event.kind === "progress" && last?.event.kind === "progress")
      folds[folds.length - 1] = { event, count: last.count + 1 };
    else folds.push({ event, count: 1 });
  }
  return folds;
}

export function EventsPanel({ events }: { events: readonly TaskEvent[] }) {
  return (
    <Panel title="Events" meta={countOf(events.length, "event")}>
      <table class="table events-table">
        <thead>
          <tr>
            <th scope="col">At</th>
            <th scope="col">Event</th>
            <th scope="col">By</th>
            <th scope="col" class="number">
              Version
            </th>
            <th scope="col">What</th>
          </tr>
        </thead>
        <tbody>
          {foldEvents(events).map(({ event, count }) => (
            <tr key={event.id}>
              <td class="mono">
                <When at={event.at} form="clock-ms" />
              </td>
              <td>
                <span class={`lamp-word lamp-${eventLamp(event.kind)}`}>
                  <Glyph lamp={eventLamp(event.kind)} />
                  <span>{kindWords(event.kind)}</span>
                </span>
              </td>
              <td title={event.actor}>{actorName(event.actor)}</td>
              <td class="number">{event.version}</td>
              <td class="events-what">
                {count > 1 && <span class="fold">{count}× </span>}
                {eventWords(event)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

/** Every event with all it carries. */
export function EventDataPanel({ events }: { events: readonly TaskEvent[] }) {
  const asked = search.value.get("event");
  useEffect(() => {
    document.querySelector("[data-asked]")?.scrollIntoView({ block: "center" });
  }, [asked]);
  return (
    <Panel title="Events with their data" meta={countOf(events.length, "event")}>
      <ol class="event-data">
        {events.map((event) => (
          <li
            key={event.id}
            class={event.id === asked ? "trace-current" : undefined}
            data-asked={event.id === asked ? "" : undefined}
          >
            <p class="event-data-head">
              <span class={`lamp-word lamp-${eventLamp(event.kind)}`}>
                <Glyph lamp={eventLamp(event.kind)} />
                <span>{kindWords(event.kind)}</span>
              </span>
              <span class="mono">
                <When at={event.at} form="clock-ms" />
              </span>
              <span class="muted">
                version {event.version} by {event.actor}
              </span>
            </p>
            {Object.keys(event.data).length > 0 && <JsonTree value={event.data} />}
          </li>
        ))}
      </ol>
    </Panel>
  );
}

export function LogsPanel({ task }: { task: Task }) {
  const terms = [{ param: "traceId", values: [task.traceId], negated: false }];
  const { view, query, loadOlder, fillGap } = useLogTail(terms);
  const state = query.state.value;
  const isEmpty = sizeOf(view.shown) === 0 && state.data !== null;
  return (
    <Panel
      title="Logs of its trace"
      meta={<a href={`/logs?traceId=${task.traceId}`}>open in Logs</a>}
      class="panel-logs lines-of-logs"
    >
      <QueryNote query={state} onRetry={query.reload} rows={6} />
      <TailList
        label="Log records"
        view={view}
        rowHeight={isPhone.value ? 44 : 22}
        draw={(row, isExpanded, toggle) =>
          row.kind === "log" ? <LogLine row={row} isExpanded={isExpanded} onToggle={toggle} /> : null
        }
        onOlder={loadOlder}
        onFillGap={fillGap}
        hasKeys
      >
        {isEmpty && (
          <Empty title="No log of this trace yet">
            <p>What the orchestrator and its agents log while they work on this task appears here by itself.</p>
          </Empty>
        )}
      </TailList>
    </Panel>
  );
}

export function DataPanel({ task }: { task: Task }) {
  const app = useApp();
  const url = app.rest.urlOf("orchestrator", `/task/${task.id}`) ?? "";
  const create = { type: task.type, payload: task.payload, correlationId: task.correlationId ?? undefined };
  return (
    <Panel
      title="The task as JSON"
      meta={
        <>
          <CopyButton text={JSON.stringify(task, null, 2)} what="JSON" />
          <CopyButton text={toCurl({ method: "GET", url })} what="Command">
            Copy as curl
          </CopyButton>
          <CopyButton
            text={toCurl({ method: "POST", url: app.rest.urlOf("orchestrator", "/task") ?? "", body: create })}
            what="Command"
          >
            Copy its creation as curl
          </CopyButton>
        </>
      }
    >
      <div class="panel-body">
        <JsonTree value={task} />
      </div>
    </Panel>
  );
}

export function ValuePanel({ title, value, meta }: { title: string; value: unknown; meta: ComponentChildren }) {
  return (
    <Panel
      title={title}
      meta={
        <>
          <span>{meta}</span>
          <CopyButton text={JSON.stringify(value, null, 2)} what={title} />
        </>
      }
    >
      <div class="panel-body panel-value">
        <JsonTree value={value} />
      </div>
    </Panel>
  );
}

export function ErrorPanel({ task }: { task: Task }) {
  if (!task.error) return null;
  const { code, message, retryable, details } = task.error;
  return (
    <Panel title="Error" meta={<span class="mono">{code}</span>}>
      <div class="panel-body">
        <p class="error-text">{message}</p>
        {retryable !== undefined && (
          <p class="muted">
            {retryable ? "It may work another time." : "The agent says that another try will not help."}
          </p>
        )}
        {details !== undefined && details !== null && <JsonTree value={details} />}
      </div>
    </Panel>
  );
}

export function ChildrenPanel({ tasks }: { tasks: readonly Task[] }) {
  if (tasks.length === 0) return null;
  return (
    <Panel title="Tasks it started" meta={countOf(tasks.length, "task")}>
      <ul class="task-links">
        {tasks.map((task) => (
          <li key={task.id}>
            <StatusWord status={task.status} />
            <a href={`/tasks/${task.id}`}>{task.type}</a>
            <span class="mono muted clip">{toPreview(task.payload, 80)}</span>
            <Age at={task.createdAt} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Row({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function FactsPanel({ task }: { task: Task }) {
  return (
    <Panel title="Details">
      <dl class="facts panel-body">
        <Row name="id">
          <span class="mono">{task.id}</span>
        </Row>
        <Row name="trace">
          <a class="mono" href={`/trace/${task.traceId}`} title="Everything with this trace">
            {task.traceId}
          </a>
        </Row>
        {task.correlationId && (
          <Row name="correlation">
            <a href={`/tasks?${new URLSearchParams({ correlationId: task.correlationId })}`}>{task.correlationId}</a>
          </Row>
        )}
        {task.parentId && (
          <Row name="started by">
            <a class="mono" href={`/tasks/${task.parentId}`}>
              {shortId(task.parentId)}
            </a>
          </Row>
        )}
        {task.agent && <Row name="agent">{task.agent}</Row>}
        {task.userKey && <Row name="user">{task.userKey}</Row>}
        {task.concurrencyKey && (
          <Row name="key">
            <a href={`/tasks?${new URLSearchParams({ concurrencyKey: task.concurrencyKey })}`}>{task.concurrencyKey}</a>
          </Row>
        )}
        <Row name="priority">{task.priority}</Row>
        <Row name="timeout">{formatDuration(task.timeoutMs)}</Row>
        <Row name="run at">
          <When at={task.runAt} />
        </Row>
        <Row name="created">
          <When at={task.createdAt} />
        </Row>
        {task.startedAt && (
          <Row name="started">
            <When at={task.startedAt} />
          </Row>
        )}
        {task.finishedAt && (
          <Row name="ended">
            <When at={task.finishedAt} />
          </Row>
        )}
      </dl>
    </Panel>
  );
}
