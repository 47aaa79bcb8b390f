import { type Signal, useSignal } from "@preact/signals";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { useRef } from "preact/hooks";
import { useKeys } from "../app/keys.ts";
import { settings } from "../app/settings.ts";
import { isPhone } from "../app/viewport.ts";
import { toPreview } from "../domain/diff.ts";
import { toApi, valuesOf, withToggled } from "../domain/filter.ts";
import { taskVocabulary } from "../domain/vocabularies.ts";
import { countOf, formatCount, shortId, statuses } from "../domain/words.ts";
import { countStatuses } from "../store/task-list.ts";
import { Toggle } from "../ui/field.tsx";
import { FilterBar, type FilterState, useFilter } from "../ui/filter-bar.tsx";
import { asCell, asColumn, asRow, asRowGroup, type ListHandle, RowList } from "../ui/list.tsx";
import { Empty, PageHead, QueryNote } from "../ui/parts.tsx";
import { Glyph, StatusWord } from "../ui/status.tsx";
import { Age, Elapsed } from "../ui/when.tsx";
import { BulkBar } from "./tasks-bulk.tsx";
import { type TaskListView, useTaskList } from "./tasks-list.ts";

export function TasksScreen() {
  const filter = useFilter(taskVocabulary);
  const view = useTaskList(filter.terms);
  const selected = useSignal<ReadonlyMap<string, Task>>(new Map());
  const hasLocal = toApi(filter.terms, taskVocabulary, 0).local.length > 0;
  return (
    <>
      <PageHead title="Tasks" actions={<NewTaskLink />}>
        <Summary view={view} filter={filter} />
      </PageHead>
      <FilterBar vocabulary={taskVocabulary} filter={filter} label="Filter tasks" />
      <StatusToggles view={view} filter={filter} />
      <QueryNote query={view.query.state.value} onRetry={view.query.reload} rows={10} />
      <BulkBar selected={selected} terms={filter.terms} hasLocal={hasLocal} />
      <TaskRows view={view} filter={filter} selected={selected} />
    </>
  );
}

function NewTaskLink() {
  return (
    <a class="button button-primary" href="/new-task">
      New task
    </a>
  );
}

function Summary({ view, filter }: { view: TaskListView; filter: FilterState }) {
  const { rows, nextCursor } = view.state;
  if (view.query.state.value.data === null && rows.length === 0) return <>Newest first</>;
  const matched =
    filter.terms.length > 0
      ? `${countOf(rows.length, "match", "matches")} loaded`
      : `${countOf(rows.length, "task")} loaded`;
  const end = nextCursor === null ? "that is all" : "scroll for more";
  return (
    <>
      {matched}, newest first; {end}.{!view.isLive && " This range is fixed: new tasks are not added."}
    </>
  );
}

/** The statuses as switches of the filter, each with its count among the rows that are loaded. */
function StatusToggles({ view, filter }: { view: TaskListView; filter: FilterState }) {
  const counts = countStatuses(view.state.rows);
  const chosen = valuesOf(filter.terms, "status");
  return (
    <fieldset class="toggles">
      <legend class="hidden">Status, with counts of the loaded tasks</legend>
      {statuses.map((status) => (
        <Toggle
          key={status}
          pressed={chosen.includes(status)}
          onPress={() => filter.setTerms(withToggled(filter.terms, "status", status))}
        >
          <Glyph lamp={status} />
          <span>{status}</span>
          <span class="toggle-count">
            {chosen.length === 0 || chosen.includes(status) ? formatCount(counts[status]) : ""}
          </span>
        </Toggle>
      ))}
    </fieldset>
  );
}

type Selected = Signal<ReadonlyMap<string, Task>>;

function toggleTask(selected: Selected, task: Task | undefined): void {
  if (!task) return;
  const next = new Map(selected.peek());
  if (!next.delete(task.id)) next.set(task.id, task);
  selected.value = next;
}

type RowsProps = { view: TaskListView; filter: FilterState; selected: Selected };

function TaskRows({ view, filter, selected }: RowsProps) {
  const handle = useRef<ListHandle>(null);
  const { rows, fresh } = view.state;
  useRowKeys(handle, rows, selected);
  const isEmpty = rows.length === 0 && view.query.state.value.data !== null;
  if (isEmpty && fresh.length === 0) return <NoRows view={view} filter={filter} />;
  const height = isPhone.value ? 64 : settings.density.value === "compact" ? 28 : 36;
  return (
    <div
      class="panel panel-list"
      onPointerEnter={() => view.setHeld(true)}
      onPointerLeave={() => view.setHeld(false)}
      onFocusIn={() => view.setHeld(true)}
      onFocusOut={() => view.setHeld(false)}
    >
      {fresh.length > 0 && (
        <button type="button" class="pill pill-top" onClick={() => showFresh(view, handle)}>
          {formatCount(fresh.length)} new
        </button>
      )}
      <RowList
        label="Tasks"
        first={0}
        end={rows.length}
        rowHeight={height}
        keyOf={(number) => rows[number]?.id ?? String(number)}
        renderRow={(number) => (
          <TaskRow task={rows[number]} isLeaving={!isMatch(view, rows[number])} selected={selected} />
        )}
        initialTop={view.initialTop}
        onTop={view.setTop}
        onNearEnd={view.loadMore}
        handle={handle}
        header={isPhone.value ? undefined : <TaskColumns />}
      />
    </div>
  );
}

function showFresh(view: TaskListView, handle: { current: ListHandle | null }): void {
  view.showFresh();
  handle.current?.scrollToRow(0);
}

function isMatch(view: TaskListView, task: Task | undefined): boolean {
  return task === undefined || view.matches(task);
}

function focusedRow(): string | undefined {
  return document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.row;
}

function useRowKeys(handle: { current: ListHandle | null }, rows: readonly Task[], selected: Selected): void {
  const count = rows.length;
  const move = (step: number) => {
    const row = focusedRow();
    const next = row === undefined ? 0 : Number(row) + step;
    if (count > 0) handle.current?.focusRow(Math.min(count - 1, Math.max(0, next)));
  };
  useKeys({
    j: ["Next task", () => move(1)],
    k: ["Task before", () => move(-1)],
    x: ["Mark the task", () => toggleTask(selected, rows[Number(focusedRow() ?? Number.NaN)])],
  });
}

function TaskColumns() {
  return (
    <div class="list-header" {...asRowGroup}>
      <div class="task-row" {...asRow}>
        {["Status", "Type", "What", "Source", "Age", "Ran", "Attempt"].map((name) => (
          <span key={name} class={`col-${name.toLowerCase()}`} {...asColumn}>
            {name}
          </span>
        ))}
      </div>
    </div>
  );
}

/** What tells one task from its neighbours: its error, what it is doing, or what it was given. */
function What({ task }: { task: Task }) {
  if (task.error) return <span class="lamp-failed">{task.error.message}</span>;
  if (task.status === "running" && task.progress) return <span>{task.progress.message}</span>;
  if (task.status === "waiting" && task.approval)
    return <span>{task.approval.prompt ?? task.approval.reason ?? "approval required"}</span>;
  return <span class="mono muted">{toPreview(task.payload, 160)}</span>;
}

type RowProps = { task: Task | undefined; isLeaving: boolean; selected: Selected };

function TaskRow({ task, isLeaving, selected }: RowProps) {
  if (!task) return null;
  const isSelected = selected.value.has(task.id);
  return (
    <div
      class={`task-row${isLeaving ? " task-leaving" : ""}${isSelected ? " task-selected" : ""}`}
      title={isLeaving ? "No longer matches the filter" : undefined}
      {...asRow}
    >
      <span class="col-status" {...asCell}>
        <input
          type="checkbox"
          class="row-check"
          tabIndex={-1}
          aria-label={`Mark ${task.type} ${shortId(task.id)}`}
          checked={isSelected}
          onChange={() => toggleTask(selected, task)}
        />
        <StatusWord status={task.status} waitingFor={isPhone.value ? null : task.waitingFor} />
      </span>
      <span class="col-type" {...asCell}>
        <a class="row-link" data-focus href={`/tasks/${task.id}`}>
          {task.type}
        </a>
      </span>
      <span class="col-what" {...asCell}>
        <What task={task} />
      </span>
      <span class="col-source" {...asCell}>
        {task.source}
      </span>
      <span class="col-age" {...asCell}>
        <Age at={task.createdAt} />
      </span>
      <span class="col-ran" {...asCell}>
        {task.startedAt ? <Elapsed from={task.startedAt} to={task.finishedAt} /> : "–"}
      </span>
      <span class="col-attempt" {...asCell}>
        {task.attempt === 0 ? "–" : `${task.attempt} of ${task.maxAttempts}`}
      </span>
    </div>
  );
}

/** Why the list is empty, and what to do: the reason may be the filter, the part that was loaded, or a fleet without tasks. */
function NoRows({ view, filter }: { view: TaskListView; filter: FilterState }) {
  if (view.state.nextCursor !== null) {
    return (
      <Empty title="None of the tasks that were looked through matches">
        <p>A part of this filter can only be applied to loaded tasks, and there are older ones.</p>
        <button type="button" class="button" onClick={view.loadMore}>
          Look further back
        </button>
      </Empty>
    );
  }
  if (filter.terms.length === 0) return <NoTasks />;
  return (
    <Empty title="No task matches this filter">
      <p>
        {view.isLive
          ? "Tasks that match from now on appear here by themselves."
          : "Widen the range, or remove a filter."}
      </p>
      <button type="button" class="button" onClick={() => filter.setTerms([])}>
        Clear the filter
      </button>
    </Empty>
  );
}

function NoTasks() {
  return (
    <Empty title="No tasks yet">
      <p>Every signal becomes a task: from a script, a chat, a webhook or by hand. Start one to see it run.</p>
      <a class="button button-primary" href="/new-task?type=echo">
        Start an echo task
      </a>
    </Empty>
  );
}
