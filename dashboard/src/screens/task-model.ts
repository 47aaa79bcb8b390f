import { type Signal, useSignal } from "@preact/signals";
import type { Task, TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { useEffect } from "preact/hooks";
import { type App, useApp } from "../app/context.ts";
import { type Query, useQuery } from "../app/query.ts";
import { hasEnded } from "../domain/words.ts";
import type { Answer, Failure } from "../net/rest.ts";
import {
  applyBatch,
  applySnapshot,
  applyTask,
  fromCache,
  markReviewed,
  type TaskPageState,
} from "../store/task-page.ts";
import { findTask, newerTask } from "../store/task-table.ts";

export type TaskPage = {
  state: Signal<TaskPageState>;
  query: Query<TaskWithEvents>;
  /** Takes in the task that an action answered with. */
  put: (task: Task) => void;
  review: () => void;
};

const WHY_MS = 300;

/** Why a task waits is only told by a read: after each change that leaves it waiting it is read again. */
function useWhy(page: TaskPage): void {
  const { task, why } = page.state.value;
  const isWaiting = task !== null && (task.status === "queued" || task.status === "waiting");
  const isKnown = why !== null || page.query.state.value.data === null;
  const { reload } = page.query;
  const version = task?.version;
  useEffect(() => {
    if (!isWaiting || isKnown || version === undefined) return;
    const timer = setTimeout(reload, WHY_MS);
    return () => clearTimeout(timer);
  }, [isWaiting, isKnown, version, reload]);
}

export function useTaskPage(id: string): TaskPage {
  const app = useApp();
  const state = useSignal<TaskPageState>(fromCache(findTask(app.live.peek().tasks, id)));
  useEffect(
    () =>
      app.onBatch((batch) => {
        state.value = applyBatch(state.peek(), batch, id);
      }),
    [app, state, id],
  );
  const query = useQuery<TaskWithEvents>(
    id,
    (signal) => app.rest.call("orchestrator", `/task/${id}`, { signal }),
    (snapshot) => {
      state.value = applySnapshot(state.peek(), snapshot);
    },
  );
  const page: TaskPage = {
    state,
    query,
    put: (task) => {
      state.value = applyTask(state.peek(), task);
    },
    review: () => {
      state.value = markReviewed(state.peek());
    },
  };
  useWhy(page);
  return page;
}

/** The tasks that this one started, live. */
export function useChildren(id: string): readonly Task[] {
  const app = useApp();
  const children = useSignal<ReadonlyMap<string, Task>>(new Map());
  const merge = (tasks: readonly Task[]) => {
    const own = tasks.filter((task) => task.parentId === id);
    if (own.length === 0) return;
    const next = new Map(children.peek());
    for (const task of own) next.set(task.id, newerTask(next.get(task.id), task));
    children.value = next;
  };
  useEffect(() => app.onBatch((batch) => merge(batch.listTasks)), [app, id]);
  useQuery<TaskList>(
    `children ${id}`,
    (signal) => app.rest.call("orchestrator", "/tasks", { query: { parentId: id, limit: 100 }, signal }),
    (page) => merge(page.items),
  );
  return [...children.value.values()].sort((left, right) => (left.createdAt < right.createdAt ? -1 : 1));
}

export type ActionName = "cancel" | "retry" | "approve" | "reject" | "input";

export function sendAction(app: App, task: Task, action: ActionName, body: object): Promise<Answer<Task>> {
  return app.rest.call<Task>("orchestrator", `/task/${task.id}/${action}`, { method: "POST", body });
}

export function sendPatch(app: App, task: Task, ifVersion: number, changes: object): Promise<Answer<Task>> {
  return app.rest.call<Task>("orchestrator", `/task/${task.id}`, { method: "PATCH", body: { ifVersion, ...changes } });
}

/** The task as it stands, which a refused decision carries. */
export function conflictingTask(failure: Failure): Task | null {
  const [detail] = failure.details;
  if (typeof detail !== "object" || detail === null || !("task" in detail)) return null;
  return detail.task as Task;
}

/** What a refused action means, in words that end with what was or was not done. */
export function refusalWords(failure: Failure, what: string): string {
  if (failure.kind !== "http") return `${failure.message} Whether it was done is not known: look at the task's state.`;
  if (failure.status === 404 || failure.status === 405) {
    return `The orchestrator answered ${failure.status}: it does not offer “${what}” for this task. Nothing was changed.`;
  }
  if (failure.status === 409) return `The task changed meanwhile. ${failure.message} Nothing was changed.`;
  return `${failure.message} Nothing was changed.`;
}

export type Offer = { cancel: boolean; retry: boolean; edit: boolean; decide: boolean; answer: boolean };

/** Which actions make sense for a task as it stands; the orchestrator has the last word. */
export function judgeOffer(task: Task): Offer {
  const ended = hasEnded(task.status);
  return {
    cancel: !ended,
    retry: ended,
    edit: true,
    decide: task.status === "waiting" && task.waitingFor === "approval",
    answer: task.status === "waiting" && task.waitingFor === "input",
  };
}
