import type { LogList } from "@signalbox/common/contracts/log.ts";
import type { TaskList } from "@signalbox/common/contracts/task.ts";
import { useRef } from "preact/hooks";
import { serverNow } from "../app/clock.ts";
import { type App, useApp } from "../app/context.ts";
import { useQuery } from "../app/query.ts";
import { search, setParam } from "../app/router.ts";
import { useTail } from "../app/tail.ts";
import { isPhone } from "../app/viewport.ts";
import { levels } from "../domain/words.ts";
import type { Answer } from "../net/rest.ts";
import { rowsOf, sizeOf } from "../store/ring.ts";
import { type FeedRow, type GapRow, toMarkRow, toStateRow, toStoredLogRow } from "../store/rows.ts";
import { byTime } from "../store/tail.ts";
import { EventLine, StateLine } from "../ui/event-row.tsx";
import { readGap } from "../ui/gap.ts";
import { LogLine } from "../ui/log-row.tsx";
import { Empty, FailureNote, PageHead, QueryNote } from "../ui/parts.tsx";
import { TailList } from "../ui/tail.tsx";

type Kinds = "task,log" | "task" | "log";
type Filter = { kinds: Kinds; level: string };

function readFilter(): Filter {
  const types = search.value.get("types");
  const kinds = types === "task" || types === "log" ? types : "task,log";
  const level = search.value.get("level") ?? "info";
  return { kinds, level: (levels as readonly string[]).includes(level) ? level : "info" };
}

function accepts(row: FeedRow, { kinds, level }: Filter): boolean {
  const order: readonly string[] = levels;
  if (row.kind === "log") return kinds !== "task" && order.indexOf(row.log.level) >= order.indexOf(level);
  if (row.kind === "event" || row.kind === "state") return kinds !== "log";
  return true;
}

type Past = { rows: FeedRow[]; failure: Answer<never> | null };

/** What happened before the page was opened: each recent task as it stands, and the newest logs, by time. */
async function readPast(app: App, filter: Filter, signal: AbortSignal): Promise<Answer<Past>> {
  const query = { limit: 100 };
  const [tasks, logs] = await Promise.all([
    app.rest.call<TaskList>("orchestrator", "/tasks", { query: { limit: 50 }, signal }),
    app.rest.call<LogList>("logging", "/logs", { query: { ...query, level: filter.level }, signal }),
  ]);
  if (!tasks.ok) return tasks;
  const stored = logs.ok ? logs.body.items.map(toStoredLogRow) : [];
  const rows = [...tasks.body.items.map(toStateRow), ...stored].filter((row) => accepts(row, filter)).sort(byTime);
  return { ok: true, status: 200, headers: tasks.headers, body: { rows, failure: logs.ok ? null : logs } };
}

/** The stream has told it already: the same record, or an event of the task whose state was read. */
function isToldBy(live: readonly FeedRow[], row: FeedRow): boolean {
  if (row.kind !== "state") return live.some(({ key }) => key === row.key);
  return live.some((other) => other.kind === "event" && other.task.id === row.task.id);
}

function useActivity(filter: Filter) {
  const app = useApp();
  const key = JSON.stringify(filter);
  const view = useTail(key, (row) => accepts(row, filter), true);
  const started = useRef("");
  const query = useQuery<Past>(
    key,
    (signal) => readPast(app, filter, signal),
    ({ rows }) => {
      // Only the first read is the tail's past: a later one, after a loss, would stand before what is newer. The gap's row offers it.
      if (started.current === key) return;
      started.current = key;
      const live = [...rowsOf(app.live.peek().tail)].filter((row) => accepts(row, filter));
      const past = rows.filter((row) => !isToldBy(live, row));
      const mark = toMarkRow("opened", new Date(serverNow()).toISOString(), "From here on live, since");
      view.start(past.length > 0 ? [...past, mark] : [], live);
    },
  );
  return { view, query };
}

export function ActivityScreen() {
  const filter = readFilter();
  const { view, query } = useActivity(filter);
  const app = useApp();
  const state = query.state.value;
  const failure = state.data?.failure;
  const fillGap = async (gap: GapRow) => view.fill(gap, (await readGap(app, gap, { level: filter.level })) ?? []);
  return (
    <>
      <PageHead title="Activity" actions={<ActivityFilters filter={filter} />}>
        Every task event and log record, in the order of the stream.
      </PageHead>
      <QueryNote query={state} onRetry={query.reload} rows={14} />
      {failure && !failure.ok && <FailureNote failure={failure.failure} onRetry={query.reload} />}
      <div class="panel panel-list lines-of-all">
        <TailList
          key={JSON.stringify(filter)}
          label="Activity"
          view={view}
          rowHeight={isPhone.value ? 48 : 28}
          draw={(row, isExpanded, toggle) => <ActivityLine row={row} isExpanded={isExpanded} onToggle={toggle} />}
          onFillGap={(gap) => void fillGap(gap)}
          hasKeys
        >
          {sizeOf(view.shown) === 0 && state.data !== null && <NoActivity />}
        </TailList>
      </div>
    </>
  );
}

function ActivityLine({ row, isExpanded, onToggle }: { row: FeedRow; isExpanded: boolean; onToggle: () => void }) {
  if (row.kind === "log") return <LogLine row={row} isExpanded={isExpanded} onToggle={onToggle} />;
  if (row.kind === "event") return <EventLine row={row} isExpanded={isExpanded} onToggle={onToggle} />;
  return row.kind === "state" ? <StateLine row={row} /> : null;
}

const kindWords: readonly [Kinds, string][] = [
  ["task,log", "Tasks and logs"],
  ["task", "Tasks"],
  ["log", "Logs"],
];

function ActivityFilters({ filter }: { filter: Filter }) {
  return (
    <>
      <fieldset class="segments">
        <legend class="hidden">What is shown</legend>
        {kindWords.map(([kinds, words]) => (
          <button
            key={kinds}
            type="button"
            class="segment"
            aria-pressed={filter.kinds === kinds}
            onClick={() => setParam("types", kinds === "task,log" ? null : kinds)}
          >
            {words}
          </button>
        ))}
      </fieldset>
      <select
        class="input"
        aria-label="Lowest level of logs"
        value={filter.level}
        disabled={filter.kinds === "task"}
        onChange={(event) => setParam("level", event.currentTarget.value === "info" ? null : event.currentTarget.value)}
      >
        {levels.map((level) => (
          <option key={level} value={level}>
            level ≥ {level}
          </option>
        ))}
      </select>
    </>
  );
}

function NoActivity() {
  return (
    <Empty title="Nothing has happened yet">
      <p>Task events and log records appear here the moment they are made.</p>
      <a class="button button-primary" href="/new-task?type=echo">
        Start an echo task
      </a>
    </Empty>
  );
}
