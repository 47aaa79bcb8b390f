import { useSignal } from "@preact/signals";
import type { Log } from "@signalbox/common/contracts/log.ts";
import { useEffect } from "preact/hooks";
import { useApp } from "../app/context.ts";
import { shortId } from "../domain/words.ts";
import type { Failure } from "../net/rest.ts";
import type { LogRow } from "../store/rows.ts";
import { JsonTree } from "./json.tsx";
import { asCell, asRow } from "./list.tsx";
import { FailureNote } from "./parts.tsx";
import { LevelWord } from "./status.tsx";
import { CopyButton } from "./toast.tsx";
import { When } from "./when.tsx";

/** Narrows the list by one field of a record, or keeps it out. */
export type FieldFilter = (param: string, value: string, negated: boolean) => void;

type LogLineProps = { row: LogRow; isExpanded: boolean; onToggle: () => void; onFilter?: FieldFilter };

export function LogLine({ row, isExpanded, onToggle, onFilter }: LogLineProps) {
  const { log } = row;
  const firstLine = log.message.split("\n", 1)[0] ?? "";
  return (
    <>
      <div {...asRow} class={`line log-line level-${log.level}`}>
        <span {...asCell} class="line-time mono">
          <button
            type="button"
            class="line-toggle"
            data-focus
            aria-expanded={isExpanded}
            aria-label={`Details of: ${firstLine}`}
            onClick={onToggle}
          >
            <span class="json-caret" aria-hidden="true" />
          </button>
          <When at={log.at} form="clock-ms" />
        </span>
        <span {...asCell} class="line-level">
          <LevelWord level={log.level} />
        </span>
        <span {...asCell} class="line-source">
          {log.service}
        </span>
        <span {...asCell} class="line-text mono">
          {firstLine}
        </span>
        <span {...asCell} class="line-id mono">
          {log.taskId ? <a href={`/tasks/${log.taskId}`}>{shortId(log.taskId)}</a> : null}
        </span>
      </div>
      {isExpanded && <LogDetails row={row} onFilter={onFilter} />}
    </>
  );
}

/** A record whose `data` was too long to hold is read again when it is opened. */
function useWholeLog(row: LogRow): { log: Log; failure: Failure | null } {
  const app = useApp();
  const whole = useSignal<Log | null>(null);
  const failure = useSignal<Failure | null>(null);
  useEffect(() => {
    if (!row.trimmed) return;
    const controller = new AbortController();
    void app.rest.call<Log>("logging", `/logs/${row.log.id}`, { signal: controller.signal }).then((answer) => {
      if (answer.ok) whole.value = answer.body;
      else if (answer.failure.kind !== "aborted") failure.value = answer.failure;
    });
    return () => controller.abort();
  }, [app, row, whole, failure]);
  return { log: whole.value ?? row.log, failure: failure.value };
}

function LogDetails({ row, onFilter }: { row: LogRow; onFilter?: FieldFilter }) {
  const { log, failure } = useWholeLog(row);
  const hasData = Object.keys(log.data).length > 0;
  return (
    <div {...asRow} class="line-details">
      <div {...asCell}>
        {failure && <FailureNote failure={failure} />}
        <pre class="line-message mono">{log.message}</pre>
        <dl class="facts">
          <Fact name="at" value={log.at} />
          <Fact name="service" value={log.service} param="service" onFilter={onFilter} />
          {log.traceId && <Fact name="trace" value={log.traceId} param="traceId" onFilter={onFilter} />}
          {log.correlationId && (
            <Fact name="correlation" value={log.correlationId} param="correlationId" onFilter={onFilter} />
          )}
          {log.taskId && (
            <Fact name="task" value={log.taskId} param="taskId" href={`/tasks/${log.taskId}`} onFilter={onFilter} />
          )}
        </dl>
        {hasData && <JsonTree value={log.data} />}
        <div class="line-actions">
          <CopyButton text={JSON.stringify(log, null, 2)} what="Record">
            Copy as JSON
          </CopyButton>
          <a class="button button-quiet" href={aroundOf(log)}>
            Around this line
          </a>
        </div>
      </div>
    </div>
  );
}

/** Everything that was said half a minute before and after, by anyone. */
function aroundOf(log: Log): string {
  const atMs = Date.parse(log.at);
  const query = new URLSearchParams({
    since: new Date(atMs - 30_000).toISOString(),
    until: new Date(atMs + 30_000).toISOString(),
  });
  return `/logs?${query}`;
}

type FactProps = { name: string; value: string; param?: string; href?: string; onFilter?: FieldFilter };

function Fact({ name, value, param, href, onFilter }: FactProps) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd class="mono">
        {href ? <a href={href}>{value}</a> : value}
        {param && onFilter && (
          <>
            <button
              type="button"
              class="link"
              onClick={() => onFilter(param, value, false)}
              aria-label={`Only ${name} ${value}`}
            >
              only
            </button>
            <button
              type="button"
              class="link"
              onClick={() => onFilter(param, value, true)}
              aria-label={`Without ${name} ${value}`}
            >
              without
            </button>
          </>
        )}
      </dd>
    </div>
  );
}
