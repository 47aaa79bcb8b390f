import type { Log } from "@signalbox/common/contracts/log.ts";
import type { TraceEntry } from "@signalbox/common/contracts/trace.ts";
import { useApp } from "../app/context.ts";
import { useReloadOn } from "../app/items.ts";
import { useKeys } from "../app/keys.ts";
import { useQuery } from "../app/query.ts";
import { goBack } from "../app/router.ts";
import type { ScreenProps } from "../app/routes.ts";
import type { TraceNode } from "../domain/trace-rows.ts";
import { countOf, kindWords, shortId } from "../domain/words.ts";
import { Empty, Note, PageHead, Panel, QueryNote } from "../ui/parts.tsx";
import { CopyCurl, useLinkKeys } from "../ui/screen-parts.tsx";
import { TraceWaterfall } from "../ui/trace-view.tsx";
import { When } from "../ui/when.tsx";

type Node = TraceNode & { children: Node[] };
type Trace = { traceId: string; tasks: Node[]; logs: Log[]; timeline: TraceEntry[]; notes: string[] };

/** Everything with one trace id, read again while it grows. */
function useTrace(traceId: string | null) {
  const app = useApp();
  const path = `/trace/${encodeURIComponent(traceId ?? "")}`;
  const query = useQuery<Trace>(traceId === null ? null : path, (signal) =>
    app.rest.call("orchestrator", path, { signal }),
  );
  useReloadOn(query.reload, (batch) => batch.tasks.some((task) => task.traceId === traceId));
  return query;
}

const sizeOf = (nodes: readonly Node[]): number => nodes.reduce((sum, node) => sum + 1 + sizeOf(node.children), 0);

export function TraceScreen({ params }: ScreenProps) {
  const traceId = params.id ?? "";
  const query = useTrace(traceId);
  useKeys({ Escape: ["Back", goBack] });
  useLinkKeys(".waterfall", "task");
  const state = query.state.value;
  const trace = state.data;
  if (!trace && (state.failure?.status === 404 || state.failure?.status === 400))
    return (
      <Empty title="Nothing is known of this trace" isPage>
        <p>
          No task and no log record has the trace <span class="mono">{traceId}</span>.
        </p>
        <a class="button" href="/tasks">
          All tasks
        </a>
      </Empty>
    );
  return (
    <>
      <PageHead
        title="Trace"
        actions={
          <>
            <CopyCurl service="orchestrator" path={`/trace/${traceId}`} />
            <a class="button" href={`/logs?traceId=${traceId}`}>
              Its logs
            </a>
          </>
        }
      >
        <span class="mono">{traceId}</span>
        {trace && (
          <>
            , {countOf(sizeOf(trace.tasks), "task")},{" "}
            {countOf(trace.timeline.length, "event or record", "events and records")}
          </>
        )}
      </PageHead>
      <QueryNote query={state} onRetry={query.reload} rows={8} />
      {trace?.notes.map((note) => (
        <Note key={note} lamp="warn">
          {note}
        </Note>
      ))}
      {trace && <TracePanel nodes={trace.tasks} />}
      {trace && <StoryPanel entries={trace.timeline} />}
    </>
  );
}

function TracePanel({ nodes, current }: { nodes: readonly Node[]; current?: string }) {
  return (
    <Panel title="Tasks of the trace" meta={countOf(sizeOf(nodes), "task")}>
      {nodes.length === 0 ? (
        <p class="panel-body muted">Only log records have this trace.</p>
      ) : (
        <TraceWaterfall nodes={nodes} current={current} />
      )}
    </Panel>
  );
}

/** The trace on a task's page, once it is more than that task. */
export function TraceOfTask({ traceId, id }: { traceId: string; id: string }) {
  const trace = useTrace(traceId).state.value.data;
  if (!trace || sizeOf(trace.tasks) < 2) return null;
  return <TracePanel nodes={trace.tasks} current={id} />;
}

const SHOWN = 500;

function StoryPanel({ entries }: { entries: readonly TraceEntry[] }) {
  return (
    <Panel title="What happened" meta="causes before effects">
      <ol>
        {entries.slice(0, SHOWN).map((entry) => (
          <li key={`${entry.kind} ${entry.id}`} class="story">
            <span class="mono muted">
              <When at={entry.at} form="clock-ms" />
            </span>
            <span class={entry.kind === "event" ? "strong" : "muted"}>
              {entry.kind === "event" ? kindWords(entry.text) : entry.text}
            </span>
            {entry.taskId ? (
              <a class="mono" href={`/tasks/${entry.taskId}`}>
                {shortId(entry.taskId)}
              </a>
            ) : (
              <span />
            )}
          </li>
        ))}
      </ol>
      {entries.length > SHOWN && (
        <p class="panel-body muted">{countOf(entries.length - SHOWN, "later one")} not drawn; Logs has all records.</p>
      )}
    </Panel>
  );
}
