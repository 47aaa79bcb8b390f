import type { Signature } from "@signalbox/common/contracts/outcome.ts";
import type { Rate, TaskStats } from "@signalbox/common/contracts/stats.ts";
import { useApp } from "../app/context.ts";
import { useQuery } from "../app/query.ts";
import { search, setParam } from "../app/router.ts";
import { compare, formatShare, type Judged, SUCCESS_TARGET, successOf, type Window, windows } from "../domain/stats.ts";
import { formatDuration } from "../domain/time.ts";
import { countOf, formatCount } from "../domain/words.ts";
import { Empty, PageHead, Panel, QueryNote, TableHead } from "../ui/parts.tsx";
import { CopyCurl } from "../ui/screen-parts.tsx";
import { LampWord } from "../ui/status.tsx";
import { Age } from "../ui/when.tsx";
import { ThroughputPanel } from "./throughput.tsx";

type Both = { now: TaskStats; before: TaskStats | null };

function useStats(window: Window) {
  const app = useApp();
  return useQuery<Both>(`stats ${window}`, async (signal) => {
    const read = (until?: string) =>
      app.rest.call<TaskStats>("orchestrator", "/tasks/stats", { query: { window, until }, signal });
    const now = await read();
    if (!now.ok) return now;
    const before = await read(now.body.since);
    return { ...now, body: { now: now.body, before: before.ok ? before.body : null } };
  });
}

export function AnalyticsScreen() {
  const asked = search.value.get("window");
  const window = windows.find((one) => one === asked) ?? "24h";
  const query = useStats(window);
  const state = query.state.value;
  return (
    <>
      <PageHead
        title="Analytics"
        actions={
          <>
            <CopyCurl service="orchestrator" path="/tasks/stats" query={{ window }} />
            <WindowChoice current={window} />
            <button type="button" class="button" onClick={query.reload}>
              Read again
            </button>
          </>
        }
      >
        Whether the fleet does its work, and gets better: tasks made in the window, against the window before.
      </PageHead>
      <QueryNote query={state} onRetry={query.reload} rows={10} />
      {state.data && (state.data.now.total === 0 ? <NoTasks window={window} /> : <Charts both={state.data} />)}
      <SignaturesPanel />
    </>
  );
}

function WindowChoice({ current }: { current: Window }) {
  return (
    <fieldset class="segments">
      <legend class="hidden">Window</legend>
      {windows.map((window) => (
        <button
          key={window}
          type="button"
          class="segment"
          aria-pressed={window === current}
          onClick={() => setParam("window", window === "24h" ? null : window)}
        >
          {window}
        </button>
      ))}
    </fieldset>
  );
}

function NoTasks({ window }: { window: string }) {
  return (
    <Empty title={`No task was made in the last ${window}`}>
      <p>Widen the window, or start a task to see it counted here.</p>
      <a class="button" href="/new-task?type=echo">
        Start an echo task
      </a>
    </Empty>
  );
}

function Charts({ both }: { both: Both }) {
  return (
    <>
      <Figures both={both} />
      <div class="analytics-grid">
        <ThroughputPanel stats={both.now} />
        <TimesPanel both={both} />
        <RatePanel
          title="By type"
          hrefOf={(type) => `/tasks?${new URLSearchParams({ type, since: both.now.since, until: both.now.until })}`}
          rates={both.now.success.byType}
          before={both.before?.success.byType}
        />
        <RatePanel title="By agent" rates={both.now.success.byAgent} before={both.before?.success.byAgent} />
      </div>
    </>
  );
}

function Figures({ both: { now, before } }: { both: Both }) {
  const success = successOf(now);
  const wait = now.waitMs.p95;
  const run = now.runMs.p95;
  const span = `since=${encodeURIComponent(now.since)}`;
  return (
    <div class="figures">
      <Figure
        href={`/tasks?${span}`}
        name="Tasks made"
        value={formatCount(now.total)}
        judged={compare(now.total, before?.total ?? null, true)}
        plain
      />
      <Figure
        href={`/tasks?status=failed&${span}`}
        name={`Succeeded, target ${formatShare(SUCCESS_TARGET)}`}
        value={formatShare(success)}
        judged={compare(success, before && successOf(before), true)}
        isMissed={success !== null && success < SUCCESS_TARGET}
      />
      <Figure
        href={`/tasks?${span}`}
        name="Wait, p95"
        value={wait === null ? "–" : formatDuration(wait)}
        judged={compare(wait, before?.waitMs.p95 ?? null, false)}
      />
      <Figure
        href={`/tasks?${span}`}
        name="Run, p95"
        value={run === null ? "–" : formatDuration(run)}
        judged={compare(run, before?.runMs.p95 ?? null, false)}
      />
    </div>
  );
}

type FigureProps = { href: string; name: string; value: string; judged: Judged; plain?: boolean; isMissed?: boolean };

function Figure({ href, name, value, judged, plain, isMissed }: FigureProps) {
  const tone = plain || judged.verdict !== "worse" ? "figure-note" : "figure-note lamp-waiting";
  return (
    <a class="figure" href={href}>
      <span class="figure-name">{name}</span>
      <span class="figure-line">
        <span class={isMissed ? "figure-value lamp-failed" : "figure-value"}>{value}</span>{" "}
        <span class={tone}>{judged.words}</span>
      </span>
    </a>
  );
}

const formatMs = (ms: number | null | undefined) => (ms === null || ms === undefined ? "–" : formatDuration(ms));

function TimesPanel({ both: { now, before } }: { both: Both }) {
  const rows = (["waitMs", "runMs"] as const).flatMap((kind) =>
    (["p50", "p95", "p99"] as const).map((part) => ({ kind, part, value: now[kind][part], old: before?.[kind][part] })),
  );
  return (
    <Panel title="Wait and run times" meta="against the window before" class="analytics-wide">
      <table class="table">
        <TableHead names={["", "Now", "Before", "Change"]} hidden="Figure" />
        <tbody>
          {rows.map(({ kind, part, value, old }) => {
            const judged = compare(value, old ?? null, false);
            return (
              <tr key={`${kind} ${part}`}>
                <th scope="row">
                  {kind === "waitMs" ? "wait" : "run"} {part}
                </th>
                <td>{formatMs(value)}</td>
                <td>{formatMs(old)}</td>
                <td class={judged.verdict === "worse" ? "lamp-waiting" : "muted"}>{judged.words}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Panel>
  );
}

type RateProps = {
  title: string;
  /** The tasks behind a row; the API has no filter by agent. */
  hrefOf?: (name: string) => string;
  rates: Record<string, Rate>;
  before: Record<string, Rate> | undefined;
};

/** Bars of success; each opens the tasks behind it, where they can be asked for. */
function RatePanel({ title, hrefOf, rates, before }: RateProps) {
  const rows = Object.entries(rates).sort(([, left], [, right]) => sizeOf(right) - sizeOf(left));
  return (
    <Panel title={title} meta={countOf(rows.length, "row")}>
      {rows.length === 0 && <p class="panel-body muted">No task has ended in this window.</p>}
      <ul class="rates">
        {rows.map(([name, rate]) => (
          <li key={name} class="rate">
            {hrefOf ? (
              <a class="strong" href={hrefOf(name)}>
                {name}
              </a>
            ) : (
              <span class="strong">{name}</span>
            )}
            <span class="rate-bar" aria-hidden="true">
              <span class="rate-good" style={{ width: `${(rate.successRate ?? 0) * 100}%` }} />
            </span>
            <span class="rate-share">{formatShare(rate.successRate)}</span>
            <span class="muted rate-note">
              {formatCount(rate.failed)} of {formatCount(sizeOf(rate))} failed
              {before?.[name] ? `, ${formatShare(before[name].successRate)} before` : ""}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const sizeOf = ({ completed, failed }: Rate) => completed + failed;

/** What observers have reported of their attempts, by what was tried. */
function SignaturesPanel() {
  const app = useApp();
  const query = useQuery<{ items: Signature[] }>("signatures", (signal) =>
    app.rest.call("logging", "/events/signatures", { query: { limit: 50 }, signal }),
  );
  const state = query.state.value;
  const items = state.data?.items ?? [];
  return (
    <Panel title="Outcomes by signature" meta="what observers tried, and how it went">
      <QueryNote query={state} onRetry={query.reload} rows={3} />
      {state.data && items.length === 0 && (
        <p class="panel-body muted">
          No observer has reported yet: <code>POST /event</code> on logging with a <code>sig_hash</code>.
        </p>
      )}
      {items.length > 0 && (
        <table class="table cards">
          <TableHead names={["Signature", "Kind", "Success", "Last ten", "Count", "Last"]} />
          <tbody>
            {items.map((one) => (
              <SignatureRow key={one.sig_hash} one={one} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function SignatureRow({ one }: { one: Signature }) {
  const good = one.recent.filter(Boolean).length;
  return (
    <tr>
      <th scope="row" class="mono">
        {one.sig_hash}
      </th>
      <td data-label="Kind">
        {one.last.source}, {one.last.event_kind}
      </td>
      <td data-label="Success">{formatShare(one.success_rate)}</td>
      <td data-label="Last ten">
        {good} of {one.recent.length}
      </td>
      <td data-label="Count">{formatCount(one.count)}</td>
      <td data-label="Last">
        <LampWord lamp={one.last.ok ? "completed" : "failed"}>{one.last.ok ? "ok" : "failed"}</LampWord>{" "}
        <span class="muted">
          <Age at={one.last.at} />
        </span>
      </td>
    </tr>
  );
}
