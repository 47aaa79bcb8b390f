import { useSignal } from "@preact/signals";
import type { Task, Why } from "@signalbox/common/contracts/task.ts";
import { nowMs } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { useKeys } from "../app/keys.ts";
import { goBack, search, setParam } from "../app/router.ts";
import type { ScreenProps } from "../app/routes.ts";
import { toCurl } from "../domain/curl.ts";
import { formatDuration } from "../domain/time.ts";
import { actorName, countOf, shortId } from "../domain/words.ts";
import { Empty, Note, PageHead, QueryNote } from "../ui/parts.tsx";
import { StatusWord } from "../ui/status.tsx";
import { CopyButton, copyText } from "../ui/toast.tsx";
import { Elapsed, When } from "../ui/when.tsx";
import { AnswerPanel, DecidePanel } from "./task-decide.tsx";
import { ConfirmDialog, EditDialog } from "./task-dialogs.tsx";
import { judgeOffer, type TaskPage, useChildren, useTaskPage } from "./task-model.ts";
import {
  ChildrenPanel,
  DataPanel,
  ErrorPanel,
  EventDataPanel,
  EventsPanel,
  FactsPanel,
  LogsPanel,
  TimelinePanel,
  ValuePanel,
} from "./task-panels.tsx";
import { TraceOfTask } from "./trace.tsx";

type Open = "cancel" | "retry" | "reject" | "edit" | null;

export function TaskScreen({ params }: ScreenProps) {
  const id = params.id ?? "";
  const page = useTaskPage(id);
  const { task } = page.state.value;
  const state = page.query.state.value;
  if (!task && state.failure?.status === 404) return <NoTask id={id} />;
  if (!task && state.failure?.status === 400) return <NoTask id={id} />;
  return (
    <>
      {!task && <PageHead title="Task" />}
      <QueryNote query={state} onRetry={page.query.reload} rows={8} />
      {task && <TaskView page={page} task={task} />}
    </>
  );
}

function NoTask({ id }: { id: string }) {
  return (
    <Empty title="There is no task with this id" isPage>
      <p>
        <span class="mono">{id}</span> is not known to this fleet. It may belong to another one.
      </p>
      <a class="button" href="/tasks">
        All tasks
      </a>
    </Empty>
  );
}

function TaskView({ page, task }: { page: TaskPage; task: Task }) {
  const open = useSignal<Open>(null);
  const offer = judgeOffer(task);
  const show = (dialog: Open) => {
    open.value = dialog;
  };
  useKeys({
    "Shift+C": ["Cancel the task", () => offer.cancel && show("cancel")],
    "Shift+R": ["Retry the task", () => offer.retry && show("retry")],
    e: ["Edit the task", () => show("edit")],
    Escape: ["Back", goBack],
  });
  return (
    <>
      <TaskHead task={task} onOpen={show} />
      <WhyNote task={task} why={page.state.value.why} />
      <div class={offer.decide || offer.answer ? "task-grid task-grid-deciding" : "task-grid"}>
        <div class="task-main">
          <TaskTabs page={page} task={task} />
        </div>
        <div class="task-aside">
          <ValuePanel title="Payload" value={task.payload} meta={`version ${task.version}`} />
          {offer.decide && <DecidePanel page={page} task={task} onReject={() => show("reject")} />}
          {offer.answer && <AnswerPanel page={page} task={task} />}
          <ErrorPanel task={task} />
          {task.result !== null && task.result !== undefined && (
            <ValuePanel title="Result" value={task.result} meta={task.agent ?? ""} />
          )}
          <FactsPanel task={task} />
        </div>
      </div>
      {open.value === "edit" && <EditDialog page={page} task={task} onClose={() => show(null)} />}
      {open.value && open.value !== "edit" && (
        <ConfirmDialog page={page} task={task} action={open.value} onClose={() => show(null)} />
      )}
    </>
  );
}

/** The end of the id, which copies the whole of it. */
function CopyId({ id }: { id: string }) {
  return (
    <button type="button" class="title-id mono" title={`Copy ${id}`} onClick={() => void copyText(id, "Id")}>
      <span class="hidden">Copy the id that ends with </span>
      {shortId(id)}
    </button>
  );
}

function TaskHead({ task, onOpen }: { task: Task; onOpen: (open: Open) => void }) {
  const app = useApp();
  const offer = judgeOffer(task);
  const curl = toCurl({ method: "GET", url: app.rest.urlOf("orchestrator", `/task/${task.id}`) ?? "" });
  return (
    <PageHead
      title={
        <>
          {task.type} <CopyId id={task.id} />
        </>
      }
      actions={
        <>
          <CopyButton text={curl} what="Command">
            Copy as curl
          </CopyButton>
          <button type="button" class="button" onClick={() => onOpen("edit")}>
            Edit
          </button>
          <a class="button" href={`/new-task?from=${task.id}`}>
            Run again with changes
          </a>
          {offer.retry && (
            <button type="button" class="button button-primary" onClick={() => onOpen("retry")}>
              Retry
            </button>
          )}
          {offer.cancel && (
            <button type="button" class="button button-danger" onClick={() => onOpen("cancel")}>
              Cancel task
            </button>
          )}
        </>
      }
    >
      <StatusWord status={task.status} waitingFor={task.waitingFor} />
      <span>
        {" "}
        version {task.version}, {task.attempt === 0 ? "not started" : `attempt ${task.attempt} of ${task.maxAttempts}`},
        created <When at={task.createdAt} /> by {actorName(task.source)}
        {task.startedAt && (
          <>
            , {task.finishedAt ? "ran" : "running for"} <Elapsed from={task.startedAt} to={task.finishedAt} />
          </>
        )}
      </span>
    </PageHead>
  );
}

const reasons: Record<Why["reason"], string> = {
  run_at: "Not due yet.",
  behind_key: "Another task with the same concurrency key is ahead of it.",
  no_agent: "No live agent runs this type. It starts by itself as soon as one registers.",
  agents_busy: "Every agent of this type is at its limit. It starts when one has a free slot.",
  circuit_open: "Its agent failed repeatedly and is left alone for a while.",
  approval: "A person must approve it first.",
  input: "Its agent asked a question and waits for the answer.",
  next: "It is next in line.",
};

/** Why it does not run at this moment. The decision itself is in its own panel. */
function WhyNote({ task, why }: { task: Task; why: Why | null }) {
  if (!why || task.status !== "queued") return null;
  const isUuid = why.detail !== null && why.reason === "behind_key";
  return (
    <Note lamp={why.reason === "next" || why.reason === "run_at" ? "waiting" : "warn"}>
      <p>
        <strong>{reasons[why.reason]}</strong>{" "}
        {isUuid ? (
          <a href={`/tasks/${why.detail}`}>Task {shortId(why.detail ?? "")}</a>
        ) : (
          <span>{why.reason === "run_at" ? "" : why.detail}</span>
        )}
        {why.reason === "run_at" && (
          <>
            It starts <When at={task.runAt} form="date-time" />, in{" "}
            {formatDuration(Date.parse(task.runAt) - nowMs.value)}.
          </>
        )}
      </p>
    </Note>
  );
}

const tabs = ["trace", "events", "logs", "data"] as const;
type Tab = (typeof tabs)[number];

function TaskTabs({ page, task }: { page: TaskPage; task: Task }) {
  const { events } = page.state.value;
  const asked = search.value.get("tab");
  const current: Tab = tabs.find((tab) => tab === asked) ?? "trace";
  const words: Record<Tab, string> = {
    trace: "Timeline",
    events: countOf(events.length, "event"),
    logs: "Logs",
    data: "Data",
  };
  return (
    <>
      <nav class="tabs" aria-label="Views of this task">
        {tabs.map((tab) => (
          <button
            key={tab}
            type="button"
            class="tab"
            aria-current={tab === current ? "true" : undefined}
            onClick={() => setParam("tab", tab === "trace" ? null : tab)}
          >
            {words[tab]}
          </button>
        ))}
      </nav>
      {current === "trace" && <TraceTab page={page} task={task} />}
      {current === "events" && <EventDataPanel events={events} />}
      {current === "logs" && <LogsPanel task={task} />}
      {current === "data" && <DataPanel task={task} />}
    </>
  );
}

function TraceTab({ page, task }: { page: TaskPage; task: Task }) {
  const children = useChildren(task.id);
  return (
    <>
      <TimelinePanel task={task} events={page.state.value.events} />
      <TraceOfTask traceId={task.traceId} id={task.id} />
      <ChildrenPanel tasks={children} />
      <EventsPanel events={page.state.value.events} />
    </>
  );
}
