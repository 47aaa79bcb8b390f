import { useSignal } from "@preact/signals";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { nowMs } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { formatDuration } from "../domain/time.ts";
import { actorName } from "../domain/words.ts";
import { changesToReview } from "../store/task-page.ts";
import { Note, Panel } from "../ui/parts.tsx";
import { When } from "../ui/when.tsx";
import { ChangeList, useSending } from "./task-dialogs.tsx";
import { sendAction, type TaskPage } from "./task-model.ts";

/*
 * A decision is about the version that was on screen. The button names it and sends it, whatever newer one the page knows; a
 * newer version locks the buttons until what changed was looked at. Nothing is shown as decided before the orchestrator says so.
 */

export function DecidePanel({ page, task, onReject }: { page: TaskPage; task: Task; onReject: () => void }) {
  const { reviewed } = page.state.value;
  const app = useApp();
  const note = useSignal("");
  const sending = useSending(page, () => undefined);
  const changes = changesToReview(page.state.value);
  const version = reviewed?.version;
  const isLocked = version === undefined || changes.length > 0 || sending.busy.value;
  const approve = () => {
    const text = note.value.trim();
    const body = { ifVersion: version, ...(text === "" ? {} : { note: text }) };
    void sending.run(sendAction(app, task, "approve", body), "approve", "Approved");
  };
  return (
    <Panel title="Decide" meta={<Expiry task={task} />}>
      <div class="panel-body decide">
        <ApprovalFacts task={task} />
        {changes.length > 0 && <ReviewNote page={page} task={task} />}
        {sending.problem.value && <Note lamp="failed">{sending.problem.value}</Note>}
        <div class="field">
          <label for="decide-note">
            Note<span class="field-optional"> optional</span>
          </label>
          <input
            id="decide-note"
            class="input"
            value={note.value}
            onInput={(event) => (note.value = event.currentTarget.value)}
          />
        </div>
        <div class="actions">
          <button type="button" class="button button-primary" disabled={isLocked} onClick={approve}>
            {sending.busy.value ? "Sending…" : `Approve version ${version ?? "…"}`}
          </button>
          <button type="button" class="button button-danger" disabled={isLocked} onClick={onReject}>
            Reject
          </button>
        </div>
      </div>
    </Panel>
  );
}

function Expiry({ task }: { task: Task }) {
  const expiresAt = task.approval?.expiresAt;
  if (!expiresAt) return <>does not expire</>;
  const leftMs = Date.parse(expiresAt) - nowMs.value;
  return <>{leftMs > 0 ? `expires in ${formatDuration(leftMs)}` : "expired"}</>;
}

function ApprovalFacts({ task }: { task: Task }) {
  const { approval } = task;
  const words = approval?.prompt ?? approval?.reason;
  return (
    <p>
      {words ? <strong>{words}</strong> : "This task runs only after a person has approved its payload."}
      {approval?.requestedBy && <span class="muted"> Asked by {actorName(approval.requestedBy)}.</span>}
    </p>
  );
}

function ReviewNote({ page, task }: { page: TaskPage; task: Task }) {
  const open = useSignal(false);
  const changes = changesToReview(page.state.value);
  const seen = page.state.value.reviewed?.version;
  return (
    <Note lamp="failed">
      <p>
        <strong>This task changed while you were reading it.</strong> You looked at version {seen}, it is now version{" "}
        {task.version}. Nothing was approved.
      </p>
      {open.value && <ChangeList changes={changes} />}
      <button
        type="button"
        class="button button-primary"
        onClick={() => {
          if (open.value) page.review();
          open.value = true;
        }}
      >
        {open.value ? `Go on with version ${task.version}` : "Show what changed"}
      </button>
    </Note>
  );
}

/** A task that asked its person something. */
export function AnswerPanel({ page, task }: { page: TaskPage; task: Task }) {
  const app = useApp();
  const text = useSignal("");
  const sending = useSending(page, () => undefined);
  const send = () => {
    const body = { ifVersion: page.state.value.reviewed?.version ?? task.version, input: text.value };
    void sending.run(sendAction(app, task, "input", body), "answer", "Answered");
  };
  return (
    <Panel
      title="Answer"
      meta={
        <>
          asked <When at={task.updatedAt} form="clock" />
        </>
      }
    >
      <div class="panel-body decide">
        <p>
          <strong>{task.approval?.prompt ?? task.progress?.message ?? "The agent waits for an answer."}</strong>
        </p>
        {sending.problem.value && <Note lamp="failed">{sending.problem.value}</Note>}
        <div class="field">
          <label for="answer">Answer</label>
          <textarea
            id="answer"
            class="input input-area"
            rows={3}
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
          />
        </div>
        <button
          type="button"
          class="button button-primary"
          disabled={text.value.trim() === "" || sending.busy.value}
          onClick={send}
        >
          {sending.busy.value ? "Sending…" : "Send the answer"}
        </button>
      </div>
    </Panel>
  );
}
