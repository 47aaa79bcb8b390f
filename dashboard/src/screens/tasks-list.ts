import { type Signal, useSignal } from "@preact/signals";
import type { Task, TaskList } from "@signalbox/common/contracts/task.ts";
import { useEffect, useRef } from "preact/hooks";
import { serverNow } from "../app/clock.ts";
import { type App, useApp } from "../app/context.ts";
import { type Query, useQuery } from "../app/query.ts";
import { isFixed, matchesRow, type Term, toApi } from "../domain/filter.ts";
import { taskVocabulary } from "../domain/vocabularies.ts";
import type { Answer } from "../net/rest.ts";
import { toListTask } from "../store/rows.ts";
import { addPage, applyTasks, emptyTaskList, settle, startList, type TaskListState } from "../store/task-list.ts";
import { findTask } from "../store/task-table.ts";

const PAGE = 50;
const KEPT_LISTS = 8;

// The lists of this session by their question, so that going back shows at once what was there, where it was.
const kept = new Map<string, { state: TaskListState; top: number }>();

function keep(key: string, state: TaskListState, top: number): void {
  kept.delete(key);
  kept.set(key, { state, top });
  for (const old of kept.keys()) {
    if (kept.size <= KEPT_LISTS) break;
    kept.delete(old);
  }
}

export type TaskListView = {
  state: TaskListState;
  query: Query<TaskList>;
  matches: (task: Task) => boolean;
  isLive: boolean;
  initialTop: number;
  loadMore: () => void;
  showFresh: () => void;
  /** The list tells where it is scrolled to and whether something in it is pointed at. */
  setTop: (top: number) => void;
  setHeld: (held: boolean) => void;
};

const MOST = 200;

function readPage(app: App, terms: readonly Term[], page: { cursor?: string; limit?: number; signal?: AbortSignal }) {
  const { query } = toApi(terms, taskVocabulary, serverNow());
  const { cursor, limit = PAGE, signal } = page;
  return app.rest.call<TaskList>("orchestrator", "/tasks", { query: { ...query, limit, cursor }, signal });
}

/** As many rows as are on screen already, so that reading again after a loss takes nothing away from whoever scrolled down. */
async function readLoaded(
  app: App,
  terms: readonly Term[],
  count: number,
  signal: AbortSignal,
): Promise<Answer<TaskList>> {
  const first = await readPage(app, terms, { limit: count > PAGE ? MOST : PAGE, signal });
  if (!first.ok) return first;
  const items = [...first.body.items];
  let { nextCursor } = first.body;
  while (nextCursor !== null && items.length < count) {
    const next = await readPage(app, terms, { cursor: nextCursor, limit: MOST, signal });
    if (!next.ok) return next;
    items.push(...next.body.items);
    nextCursor = next.body.nextCursor;
  }
  return { ...first, body: { items, nextCursor } };
}

const slim = (page: TaskList): TaskList => ({ ...page, items: page.items.map((task) => toListTask(task)) });

type Place = { top: number; held: boolean; loading: boolean };

/** Frames change rows in place; new ones enter only while the top is in view and nothing in the list is pointed at. */
function useLiveRows(list: Signal<TaskListState>, terms: readonly Term[], place: Place): (task: Task) => boolean {
  const app = useApp();
  const matches = (task: Task) => matchesRow(task, terms, taskVocabulary, serverNow());
  const latest = useRef({ matches, isLive: true });
  latest.current = { matches, isLive: !isFixed(terms) };
  useEffect(
    () =>
      app.onBatch((batch) => {
        const { matches: fits, isLive } = latest.current;
        const next = applyTasks(list.peek(), batch.listTasks, (task) => isLive && fits(task));
        list.value = isLive && place.top < 4 && !place.held ? settle(next, fits) : next;
      }),
    [app, list, place],
  );
  return matches;
}

export function useTaskList(terms: readonly Term[]): TaskListView {
  const app = useApp();
  const key = JSON.stringify(terms);
  const before = kept.get(key);
  const list = useSignal<TaskListState>(before?.state ?? emptyTaskList);
  const place = useRef<Place>({ top: before?.top ?? 0, held: false, loading: false }).current;
  const asked = useRef(key);
  if (asked.current !== key) {
    asked.current = key;
    list.value = before?.state ?? emptyTaskList;
  }
  const matches = useLiveRows(list, terms, place);
  const query = useQuery<TaskList>(
    key,
    (signal) => readLoaded(app, terms, list.peek().rows.length, signal),
    (page) => {
      const table = app.live.peek().tasks;
      const live = page.items.flatMap(({ id }) => findTask(table, id) ?? []);
      const fresh = startList(slim(page), live);
      list.value = { ...fresh, rows: fresh.rows.filter(matches) };
    },
  );
  useEffect(() => () => keep(key, list.peek(), place.top), [key, list, place]);
  const loadMore = async () => {
    const cursor = list.peek().nextCursor;
    if (cursor === null || place.loading) return;
    place.loading = true;
    const answer = await readPage(app, terms, { cursor });
    place.loading = false;
    if (!answer.ok || list.peek().nextCursor !== cursor) return;
    const page = slim(answer.body);
    list.value = addPage(list.peek(), { ...page, items: page.items.filter(matches) });
  };
  return {
    state: list.value,
    query,
    matches,
    isLive: !isFixed(terms),
    initialTop: before?.top ?? 0,
    loadMore: () => void loadMore(),
    showFresh: () => {
      list.value = settle(list.peek(), matches);
    },
    setTop: (top) => {
      place.top = top;
    },
    setHeld: (held) => {
      place.held = held;
    },
  };
}
