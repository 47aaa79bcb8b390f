import { useSignal } from "@preact/signals";
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { useEffect } from "preact/hooks";
import { useAttention } from "../app/attention.ts";
import { nowMs } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { useKeys } from "../app/keys.ts";
import { hasNewsOf } from "../app/news.ts";
import { search, setParam } from "../app/router.ts";
import { toPreview } from "../domain/diff.ts";
import { deployWords, type RenderService } from "../domain/render.ts";
import { isObject } from "../domain/schema.ts";
import { formatDuration } from "../domain/time.ts";
import { actorName, countOf } from "../domain/words.ts";
import { Empty, Note, PageHead, Panel, QueryNote, Skeleton, TableHead } from "../ui/parts.tsx";
import { CopyCurl, Fact, MoreButton, pickTab, Tabs, useLinkKeys } from "../ui/screen-parts.tsx";
import { LampWord, StatusWord } from "../ui/status.tsx";
import { Age, When } from "../ui/when.tsx";
import { AnswerPanel, DecidePanel } from "./task-decide.tsx";
import { ConfirmDialog } from "./task-dialogs.tsx";
import { judgeOffer, useTaskPage } from "./task-model.ts";
import { ValuePanel } from "./task-panels.tsx";

const tabs = [
  ["waiting", "Waiting"],
  ["decided", "Decided"],
] as const;

export function ApprovalsScreen() {
  const tab = pickTab(tabs, search.value.get("tab"));
  return (
    <>
      <PageHead
        title="Approvals"
        actions={<CopyCurl service="orchestrator" path="/tasks" query={{ status: "waiting" }} />}
      >
        What waits for your decision, the soonest expiry first. Silence never approves.
      </PageHead>
      <Tabs tabs={tabs} current={tab} label="Waiting and decided" />
      {tab === "waiting" ? <WaitingTab /> : <DecidedTab />}
    </>
  );
}

const LEFT_MS = 8_000;
/** What expires within it is shown in colour. */
const SOON_MS = 600_000;

/** Tasks that left the list while it was on screen, with the event that says who decided; they go after some seconds. */
function useLately(): readonly { task: Task; event: TaskEvent }[] {
  const app = useApp();
  const lately = useSignal<readonly { task: Task; event: TaskEvent; atMs: number }[]>([]);
  useEffect(
    () =>
      app.onBatch((batch) => {
        const decided = batch.events.filter(({ kind }) => kind === "approved" || kind === "rejected");
        const rows = decided.flatMap((event) => {
          const task = batch.listTasks.find(({ id }) => id === event.taskId);
          return task ? [{ task, event, atMs: Date.now() }] : [];
        });
        if (rows.length > 0) lately.value = [...lately.value, ...rows];
      }),
    [app, lately],
  );
  // The clock is what lets them go.
  nowMs.value;
  return lately.value.filter(({ atMs }) => Date.now() - atMs < LEFT_MS);
}

function WaitingTab() {
  const { waiting, isRead, problem } = useAttention();
  const lately = useLately();
  useLinkKeys(".approval-list", "approval");
  const asked = search.value.get("sel");
  const selected = asked ?? waiting[0]?.id ?? null;
  if (!isRead) return problem ? <Note lamp="failed">{problem}</Note> : <Skeleton rows={5} />;
  if (waiting.length === 0 && lately.length === 0 && asked === null) return <NothingWaits />;
  return (
    <div class="approvals">
      <div class="approval-list">
        {lately.map(({ task, event }) => (
          <p key={event.id} class="approval-left" role="status">
            <LampWord lamp={event.kind === "approved" ? "completed" : "canceled"}>
              {event.kind === "approved" ? "approved" : "rejected"}
            </LampWord>{" "}
            {task.type}, by {actorName(event.actor)}
          </p>
        ))}
        {waiting.map((task) => (
          <WaitingRow key={task.id} task={task} isSelected={task.id === selected} />
        ))}
        {waiting.length === 0 && <p class="muted panel-body">Nothing else waits.</p>}
      </div>
      {selected && <ApprovalView key={selected} id={selected} />}
    </div>
  );
}

function NothingWaits() {
  return (
    <Empty title="Nothing waits for you">
      <p>
        Tasks of types that say <code>approval: required</code>, those made with an approval, and questions of agents
        wait here, whoever else may decide them: the first decision counts.
      </p>
      <a class="button" href="/approvals?tab=decided">
        What was decided
      </a>
    </Empty>
  );
}

function WaitingRow({ task, isSelected }: { task: Task; isSelected: boolean }) {
  const expiresAt = task.approval?.expiresAt;
  const leftMs = expiresAt ? Date.parse(expiresAt) - nowMs.value : null;
  return (
    <button
      type="button"
      class="approval-row"
      data-focus
      aria-pressed={isSelected}
      onClick={() => setParam("sel", task.id)}
    >
      <span class="approval-row-head">
        <StatusWord status={task.status} waitingFor={task.waitingFor} />
        <span class="muted">
          <Age at={task.createdAt} />
        </span>
      </span>
      <span class="strong">{task.type}</span>
      <span class="muted approval-words">
        {task.approval?.prompt ?? task.approval?.reason ?? toPreview(task.payload, 90)}
      </span>
      {leftMs !== null && (
        <span class={leftMs < SOON_MS ? "lamp-waiting" : "muted"}>
          {leftMs > 0 ? `expires in ${formatDuration(leftMs)}` : "expired"}
        </span>
      )}
    </button>
  );
}

/** One task with all that a decision is about; the decision itself is the task page's own. */
function ApprovalView({ id }: { id: string }) {
  const page = useTaskPage(id);
  const rejecting = useSignal(false);
  const { task } = page.state.value;
  const state = page.query.state.value;
  const offer = task ? judgeOffer(task) : null;
  useKeys({
    a: ["To the approve button", () => document.querySelector<HTMLElement>(".approval-view .button-primary")?.focus()],
    r: [
      "Reject",
      () => {
        rejecting.value = offer?.decide === true;
      },
    ],
  });
  return (
    <div class="approval-view">
      <QueryNote query={state} onRetry={page.query.reload} rows={8} />
      {task && offer && (
        <>
          {offer.decide && <DecidePanel page={page} task={task} onReject={() => (rejecting.value = true)} />}
          {offer.answer && <AnswerPanel page={page} task={task} />}
          {!offer.decide && !offer.answer && <Decided task={task} />}
          <ValuePanel title="What it will do" value={task.payload} meta={`${task.type}, version ${task.version}`} />
          <RenderTarget task={task} />
          <About task={task} />
          {rejecting.value && (
            <ConfirmDialog page={page} task={task} action="reject" onClose={() => (rejecting.value = false)} />
          )}
        </>
      )}
    </div>
  );
}

/** An id of a vendor's says little: what it stands for, and what runs there now. */
function RenderTarget({ task }: { task: Task }) {
  const { payload } = task;
  const id = isObject(payload) && typeof payload.serviceId === "string" ? payload.serviceId : null;
  const services = useItems<RenderService>("renderctl", id === null ? null : "/render/services", { limit: 100 });
  useReloadOn(services.query.reload, (batch) => hasNewsOf(batch, "renderctl"));
  const service = services.rows.find((row) => row.id === id);
  if (!service) return null;
  const live = service.lastDeploy;
  return (
    <Panel title="What it is about" meta={<a href={`/infra/${service.id}`}>the service</a>}>
      <dl class="facts panel-body">
        <Fact name="service">
          <strong>{service.name}</strong>, {service.type.replaceAll("_", " ")}
        </Fact>
        <Fact name="runs now">
          {live ? (
            <>
              {deployWords(live.status)} since {live.createdAt && <When at={live.createdAt} />}
              {live.commit && (
                <>
                  , commit <span class="mono">{live.commit.id.slice(0, 9)}</span>
                </>
              )}
            </>
          ) : (
            "never deployed"
          )}
        </Fact>
      </dl>
    </Panel>
  );
}

function Decided({ task }: { task: Task }) {
  const by = task.approval?.decidedBy;
  return (
    <Note lamp={task.status === "failed" || task.status === "canceled" ? "failed" : "ok"}>
      <p>
        <strong>{by ? `Decided by ${actorName(by)}.` : "It no longer waits."}</strong>{" "}
        <StatusWord status={task.status} /> <a href={`/tasks/${task.id}`}>Its page</a>
      </p>
    </Note>
  );
}

function About({ task }: { task: Task }) {
  const { approval } = task;
  const findingId = /^finding:([0-9a-f-]{36})$/.exec(task.correlationId ?? "")?.[1];
  return (
    <Panel title="Who asked, and why" meta={<a href={`/tasks/${task.id}`}>the whole task</a>}>
      <dl class="facts panel-body">
        <Fact name="asked by">{approval?.requestedBy ? actorName(approval.requestedBy) : actorName(task.source)}</Fact>
        {findingId && (
          <Fact name="finding">
            <a href={`/findings/${findingId}`}>what was seen, with its evidence</a>
          </Fact>
        )}
        {approval?.reason && <Fact name="reason">{approval.reason}</Fact>}
        <Fact name="made">
          <When at={task.createdAt} />
        </Fact>
        <Fact name="expires">{approval?.expiresAt ? <When at={approval.expiresAt} /> : "never"}</Fact>
        <Fact name="trace">
          <a class="mono" href={`/trace/${task.traceId}`}>
            {task.traceId}
          </a>
        </Fact>
      </dl>
    </Panel>
  );
}

/** The API has no filter for it: of the newest tasks those that had a decision. */
function DecidedTab() {
  const tasks = useItems<Task>("orchestrator", "/tasks", { limit: 200 });
  useReloadOn(tasks.query.reload, (batch) =>
    batch.events.some(({ kind }) => kind === "approved" || kind === "rejected"),
  );
  const rows = tasks.rows.filter((task) => task.approval?.decidedAt);
  const state = tasks.query.state.value;
  return (
    <>
      <QueryNote query={state} onRetry={tasks.query.reload} rows={6} />
      {state.data && (
        <p class="muted">
          {countOf(rows.length, "decision")} among the newest {countOf(tasks.rows.length, "task")}.
        </p>
      )}
      {state.data && rows.length === 0 && (
        <Empty title="Nothing was decided among these tasks">
          <p>Each decision is kept with its task for good: who, when, and on which version.</p>
        </Empty>
      )}
      {rows.length > 0 && <DecidedTable rows={rows} />}
      <MoreButton items={tasks} />
    </>
  );
}

function DecidedTable({ rows }: { rows: readonly Task[] }) {
  return (
    <Panel title="Decisions">
      <table class="table cards">
        <TableHead names={["Task", "What", "Now", "Decided by", "At"]} />
        <tbody>
          {rows.map((task) => (
            <tr key={task.id}>
              <th scope="row">
                <a class="strong" href={`/tasks/${task.id}`}>
                  {task.type}
                </a>
              </th>
              <td class="clip-cell" data-label="What">
                {task.approval?.reason ?? toPreview(task.payload, 80)}
              </td>
              <td data-label="Now">
                {task.error?.code === "rejected" ? (
                  <LampWord lamp="canceled">rejected</LampWord>
                ) : (
                  <StatusWord status={task.status} waitingFor={task.waitingFor} />
                )}
              </td>
              <td data-label="Decided by">{task.approval?.decidedBy ? actorName(task.approval.decidedBy) : "–"}</td>
              <td data-label="At">{task.approval?.decidedAt ? <When at={task.approval.decidedAt} /> : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
