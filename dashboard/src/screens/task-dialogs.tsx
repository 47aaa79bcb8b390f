import { type Signal, useSignal } from "@preact/signals";
import type { Task, TaskStatus } from "@signalbox/common/contracts/task.ts";
import { useApp } from "../app/context.ts";
import { type Change, diffTasks, toPreview } from "../domain/diff.ts";
import type { Answer } from "../net/rest.ts";
import { Dialog, DialogActions } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { JsonArea } from "../ui/json-area.tsx";
import { Note } from "../ui/parts.tsx";
import { toast } from "../ui/toast.tsx";
import { type ActionName, conflictingTask, refusalWords, sendAction, sendPatch, type TaskPage } from "./task-model.ts";

/** Field by field, what was and what is. */
export function ChangeList({ changes }: { changes: readonly Change[] }) {
  return (
    <ul class="changes mono" aria-label="What changed">
      {changes.map(({ path, from, to }) => (
        <li key={path}>
          <span class="change-path">{path}</span>
          <span class="hidden">was </span>
          <span class="change-from">{toPreview(from, 400)}</span>
          <span aria-hidden="true">→</span>
          <span class="hidden"> is now </span>
          <span class="change-to">{toPreview(to, 400)}</span>
        </li>
      ))}
    </ul>
  );
}

type Sending = {
  busy: Signal<boolean>;
  problem: Signal<string | null>;
  run: (send: Promise<Answer<Task>>, what: string, done: string) => Promise<void>;
};

/** Sends an action once and takes its answer in: the task it answers with, or why it was refused. Nothing is shown before. */
export function useSending(page: TaskPage, onDone: () => void): Sending {
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const run = async (send: Promise<Answer<Task>>, what: string, done: string) => {
    busy.value = true;
    const answer = await send;
    busy.value = false;
    if (answer.ok) {
      page.put(answer.body);
      toast(done);
      onDone();
      return;
    }
    problem.value = refusalWords(answer.failure, what);
    const current = conflictingTask(answer.failure);
    if (current) page.put(current);
    else if (answer.failure.status === 409 || answer.failure.status === 422) page.query.reload();
  };
  return { busy, problem, run };
}

type Bound = { task: Task; changes: readonly Change[]; accept: () => void };

/** The task as it was when the dialog opened: a confirmation is about that version, until a newer one was looked at. */
function useBound(current: Task): Bound {
  const bound = useSignal(current);
  const changes = diffTasks(bound.value, current);
  // Progress and renewed leases raise the version without changing what is confirmed.
  const task = changes.length === 0 ? current : bound.value;
  return {
    task,
    changes,
    accept: () => {
      bound.value = current;
    },
  };
}

function BoundNote({ bound, current }: { bound: Bound; current: Task }) {
  if (bound.changes.length === 0) return null;
  return (
    <Note lamp="warn">
      <p>
        <strong>The task changed while this was open.</strong> You looked at version {bound.task.version}, it is now
        version {current.version}.
      </p>
      <ChangeList changes={bound.changes} />
      <button type="button" class="button" onClick={bound.accept}>
        Go on with version {current.version}
      </button>
    </Note>
  );
}

type DialogProps = { page: TaskPage; task: Task; onClose: () => void };

const actionWords: Record<
  "cancel" | "retry" | "reject",
  { title: string; button: string; done: string; text: string; note: string }
> = {
  cancel: {
    title: "Cancel this task?",
    button: "Cancel version",
    done: "Canceled",
    text: "If it is running, its agent is told to stop. Tasks that it started are canceled too.",
    note: "Reason",
  },
  retry: {
    title: "Run this task again?",
    button: "Retry version",
    done: "Queued again",
    text: "It goes back to the queue with the same payload. What earlier attempts did outside is not undone.",
    note: "",
  },
  reject: {
    title: "Reject this task?",
    button: "Reject version",
    done: "Rejected",
    text: "It ends canceled and does not run.",
    note: "Why (recorded with the decision)",
  },
};

function bodyOf(action: "cancel" | "retry" | "reject", version: number, note: string): object {
  if (action === "reject") return { ifVersion: version, note };
  return action === "cancel" && note !== "" ? { reason: note } : {};
}

export function ConfirmDialog({
  page,
  task: current,
  onClose,
  action,
}: DialogProps & { action: "cancel" | "retry" | "reject" }) {
  const app = useApp();
  const words = actionWords[action];
  const bound = useBound(current);
  const note = useSignal("");
  const sending = useSending(page, onClose);
  const isLocked = bound.changes.length > 0 || sending.busy.value || (action === "reject" && note.value.trim() === "");
  const confirm = () => {
    const body = bodyOf(action, bound.task.version, note.value.trim());
    void sending.run(sendAction(app, bound.task, action satisfies ActionName, body), action, words.done);
  };
  return (
    <Dialog title={words.title} onClose={onClose}>
      <p>
        <strong>{current.type}</strong>, {current.status}, version {bound.task.version}. {words.text}
      </p>
      {words.note && (
        <TextField
          id="confirm-note"
          label={
            <>
              {words.note}
              {action !== "reject" && <span class="field-optional"> optional</span>}
            </>
          }
          maxLength={2000}
          value={note.value}
          onValue={(next) => (note.value = next)}
        />
      )}
      <BoundNote bound={bound} current={current} />
      {sending.problem.value && <Note lamp="failed">{sending.problem.value}</Note>}
      <DialogActions onClose={onClose}>
        <button
          type="button"
          class={action === "retry" ? "button button-primary" : "button button-danger"}
          disabled={isLocked}
          onClick={confirm}
        >
          {sending.busy.value ? "Sending…" : `${words.button} ${bound.task.version}`}
        </button>
      </DialogActions>
    </Dialog>
  );
}

/** To which states a person may move a task by hand; the contract's rules. */
const byHand: Record<TaskStatus, readonly TaskStatus[]> = {
  queued: ["canceled", "completed", "failed", "waiting"],
  running: ["completed", "failed", "canceled", "waiting"],
  waiting: ["queued", "canceled", "failed"],
  failed: ["queued"],
  canceled: ["queued"],
  completed: ["queued"],
};

type Draft = {
  status: TaskStatus | "";
  priority: string;
  runAt: string;
  correlationId: string;
  payload: unknown;
  reason: string;
};

function toDraft(task: Task): Draft {
  return {
    status: "",
    priority: String(task.priority),
    runAt: task.runAt,
    correlationId: task.correlationId ?? "",
    payload: task.payload,
    reason: "",
  };
}

/** Only what differs from the version that was opened is sent. */
function toPatch(draft: Draft, base: Task): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  if (draft.status !== "") patch.status = draft.status;
  if (draft.status === "waiting") patch.waitingFor = "input";
  if (Number(draft.priority) !== base.priority) patch.priority = Number(draft.priority);
  if (draft.runAt !== base.runAt) patch.runAt = draft.runAt;
  if (draft.correlationId !== (base.correlationId ?? ""))
    patch.correlationId = draft.correlationId === "" ? null : draft.correlationId;
  if (diffTasks({ payload: base.payload }, { payload: draft.payload }).length > 0) patch.payload = draft.payload;
  if (draft.reason.trim() !== "") patch.reason = draft.reason.trim();
  return patch;
}

export function EditDialog({ page, task: current, onClose }: DialogProps) {
  const app = useApp();
  const bound = useBound(current);
  const draft = useSignal(toDraft(current));
  const sending = useSending(page, onClose);
  const patch = toPatch(draft.value, bound.task);
  const isEmpty = Object.keys(patch).filter((key) => key !== "reason").length === 0;
  const set = (change: Partial<Draft>) => {
    draft.value = { ...draft.value, ...change };
  };
  const save = () => void sending.run(sendPatch(app, bound.task, bound.task.version, patch), "edit", "Changed");
  return (
    <Dialog title="Edit this task" onClose={onClose} class="dialog-wide">
      <EditFields draft={draft.value} set={set} task={bound.task} />
      <BoundNote bound={bound} current={current} />
      {sending.problem.value && <Note lamp="failed">{sending.problem.value}</Note>}
      <DialogActions onClose={onClose}>
        <button
          type="button"
          class="button button-primary"
          disabled={isEmpty || bound.changes.length > 0 || sending.busy.value}
          onClick={save}
        >
          {sending.busy.value ? "Sending…" : `Change version ${bound.task.version}`}
        </button>
      </DialogActions>
    </Dialog>
  );
}

function EditFields({ draft, set, task }: { draft: Draft; set: (change: Partial<Draft>) => void; task: Task }) {
  return (
    <div class="field-list field-columns">
      <div class="field">
        <label for="edit-status">Status</label>
        <select
          id="edit-status"
          class="input"
          value={draft.status}
          onChange={(event) => set({ status: event.currentTarget.value as TaskStatus | "" })}
        >
          <option value="">leave {task.status}</option>
          {byHand[task.status].map((status) => (
            <option key={status} value={status}>
              {status}
            </option>
          ))}
        </select>
      </div>
      <TextField
        id="edit-priority"
        label="Priority (-100 to 100)"
        type="number"
        value={draft.priority}
        onValue={(priority) => set({ priority })}
      />
      <TextField id="edit-run-at" label="Run at (UTC)" value={draft.runAt} onValue={(runAt) => set({ runAt })} />
      <TextField
        id="edit-correlation"
        label="Correlation"
        value={draft.correlationId}
        onValue={(correlationId) => set({ correlationId })}
      />
      <div class="field field-whole">
        <label for="edit-payload">Payload</label>
        <JsonArea
          id="edit-payload"
          rows={8}
          value={draft.payload}
          onValue={(payload) => set({ payload: payload ?? null })}
        />
      </div>
      <div class="field-whole">
        <TextField
          id="edit-reason"
          label="Reason (recorded with the change)"
          value={draft.reason}
          onValue={(reason) => set({ reason })}
        />
      </div>
    </div>
  );
}
