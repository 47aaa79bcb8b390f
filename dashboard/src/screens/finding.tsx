import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { useApp } from "../app/context.ts";
import { useReloadOn } from "../app/items.ts";
import { useKeys } from "../app/keys.ts";
import { hasNewsOf } from "../app/news.ts";
import { useQuery } from "../app/query.ts";
import { navigate } from "../app/router.ts";
import type { ScreenProps } from "../app/routes.ts";
import { settings } from "../app/settings.ts";
import { toPreview } from "../domain/diff.ts";
import {
  type Cause,
  describeChange,
  type Evidence,
  type FindingAct,
  type FindingEvent,
  type FindingWithEvents,
  formatFigure,
  offeredActs,
} from "../domain/finding.ts";
import { formatDateTime, formatDuration } from "../domain/time.ts";
import { actorName, countOf, shortId } from "../domain/words.ts";
import { JsonTree } from "../ui/json.tsx";
import { Legend } from "../ui/legend.tsx";
import { Empty, PageHead, Panel, QueryNote } from "../ui/parts.tsx";
import { Plot } from "../ui/plot.tsx";
import type { PlotShape } from "../ui/plot-draw.ts";
import { CopyCurl, Fact, Gate } from "../ui/screen-parts.tsx";
import { LampWord } from "../ui/status.tsx";
import { When } from "../ui/when.tsx";
import { ActDialog } from "./finding-acts.tsx";
import { findingLamps, severityLamps } from "./findings.tsx";

export function FindingScreen({ params }: ScreenProps) {
  return (
    <Gate service="posthog-watcher" settings="POSTHOG_API_KEY, POSTHOG_PROJECT_ID">
      <FindFinding id={params.id ?? ""} />
    </Gate>
  );
}

function FindFinding({ id }: { id: string }) {
  const app = useApp();
  const path = `/findings/${encodeURIComponent(id)}`;
  const query = useQuery<FindingWithEvents>(path, (signal) => app.rest.call("posthog-watcher", path, { signal }));
  useReloadOn(query.reload, (batch) => hasNewsOf(batch, "posthog-watcher"));
  const state = query.state.value;
  if (!state.data && (state.failure?.status === 404 || state.failure?.status === 400))
    return (
      <Empty title="There is no finding with this id" isPage>
        <a class="button" href="/findings">
          All findings
        </a>
      </Empty>
    );
  return (
    <>
      {!state.data && <PageHead title="Finding" />}
      <QueryNote query={state} onRetry={query.reload} rows={8} />
      {state.data && <FindingView finding={state.data} onChanged={query.reload} />}
    </>
  );
}

const actWords: Record<FindingAct, string> = {
  ack: "Acknowledge",
  snooze: "Snooze",
  resolve: "Resolve",
  decline: "Decline",
};

function FindingView({ finding, onChanged }: { finding: FindingWithEvents; onChanged: () => void }) {
  const open = useSignal<FindingAct | null>(null);
  const offered = offeredActs(finding.status);
  const show = (act: FindingAct) => () => {
    if (offered.includes(act)) open.value = act;
  };
  useKeys({
    a: ["Acknowledge", show("ack")],
    s: ["Snooze", show("snooze")],
    d: ["Decline", show("decline")],
    Escape: ["Back to the findings", () => navigate("/findings")],
  });
  return (
    <>
      <PageHead
        title={finding.title}
        actions={
          <>
            <CopyCurl service="posthog-watcher" path={`/findings/${finding.id}`} />
            {offered.map((act, index) => (
              <button
                key={act}
                type="button"
                class={index === 0 && act === "ack" ? "button button-primary" : "button"}
                onClick={show(act)}
              >
                {actWords[act]}
              </button>
            ))}
          </>
        }
      >
        <LampWord lamp={severityLamps[finding.severity]}>{finding.severity}</LampWord>{" "}
        <LampWord lamp={findingLamps[finding.status]}>{finding.status}</LampWord> found <When at={finding.openedAt} />,{" "}
        {describeChange(finding.evidence)}
        {finding.status === "snoozed" && finding.snoozedUntil && (
          <>
            , silent until <When at={finding.snoozedUntil} />
          </>
        )}
      </PageHead>
      <div class="task-grid">
        <div class="task-main">
          <EvidencePanel finding={finding} />
          <CausesPanel causes={finding.probableCauses} />
          <HistoryPanel events={finding.events} />
        </div>
        <div class="task-aside">
          <ProposalPanel finding={finding} />
          <FactsPanel finding={finding} />
          <QueryPanel evidence={finding.evidence} />
        </div>
      </div>
      {open.value && (
        <ActDialog
          finding={finding}
          act={open.value}
          onClose={() => {
            open.value = null;
          }}
          onDone={onChanged}
        />
      )}
    </>
  );
}

const NEAR_MS = 60_000;

function toShape(evidence: Evidence, causes: readonly Cause[]): PlotShape {
  const { chart } = evidence;
  const deploys = causes.filter(({ kind }) => kind === "deploy" || kind === "rollback" || kind === "push");
  return {
    at: chart.map(({ at }) => Date.parse(at)),
    band: { low: chart.map(({ low }) => low), high: chart.map(({ high }) => high) },
    lines: [
      { label: "expected", token: "text-3", kind: "dashed", values: chart.map(({ expected }) => expected) },
      { label: "observed", token: "accent", kind: "line", values: chart.map(({ value }) => value) },
    ],
    marks: [
      { atMs: Date.parse(evidence.since), text: "onset", token: "failed" },
      ...deploys.slice(0, 3).map(({ at, kind }) => ({ atMs: Date.parse(at), text: kind, token: "waiting" as const })),
    ],
    format: formatFigure,
  };
}

function EvidencePanel({ finding }: { finding: FindingWithEvents }) {
  const { evidence, probableCauses } = finding;
  const shape = useMemo(() => toShape(evidence, probableCauses), [evidence, probableCauses]);
  const zone = settings.zone.value;
  return (
    <Panel title="Evidence" meta="as it was when it was found">
      <div class="panel-body">
        {evidence.chart.length > 1 ? (
          <Plot
            label={`${finding.title}: observed against expected`}
            shape={shape}
            table={{
              head: ["At", "Observed", "Expected", "From", "To"],
              rows: evidence.chart.map((point) => [
                formatDateTime(point.at, zone),
                ...[point.value, point.expected, point.low, point.high].map(formatFigure),
              ]),
            }}
          >
            <Legend
              items={[
                ["accent", "observed"],
                ["text-3", "expected"],
                ["band", "its band"],
                ["failed", "onset"],
                ["waiting", "deploy or push"],
              ]}
            />
          </Plot>
        ) : (
          <p class="muted">There is nothing to plot: {describeChange(evidence)}.</p>
        )}
        {evidence.notes.length > 0 && (
          <ul class="plan-notes">
            {evidence.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        )}
        <div class="actions evidence-links">
          {evidence.links.map(({ title, url }) => (
            <a key={url} class="button" href={url} target="_blank" rel="noreferrer">
              {title}
            </a>
          ))}
        </div>
      </div>
    </Panel>
  );
}

function whenWords(minutesBefore: number): string {
  const ms = Math.abs(minutesBefore) * NEAR_MS;
  if (ms < NEAR_MS) return "at the onset";
  return `${formatDuration(ms)} ${minutesBefore >= 0 ? "before" : "after"} the onset`;
}

function CausesPanel({ causes }: { causes: readonly Cause[] }) {
  return (
    <Panel title="What happened near it" meta="near in time is not proven">
      {causes.length === 0 && (
        <p class="panel-body muted">No deploy, push, flag, failed task or drift was near its beginning.</p>
      )}
      <ul>
        {causes.map((cause) => (
          <li key={`${cause.kind} ${cause.id}`} class="cause">
            <span class="tag">{cause.kind.replaceAll("_", " ")}</span>
            <div>
              <strong>{cause.title}</strong>
              <p class="muted">
                {cause.why} {whenWords(cause.minutesBefore)}, <When at={cause.at} />
              </p>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function ProposalPanel({ finding }: { finding: FindingWithEvents }) {
  const ids = finding.proposedTaskIds;
  return (
    <Panel title="Proposed" meta={ids.length > 0 ? countOf(ids.length, "task") : ""}>
      {ids.length === 0 && (
        <p class="panel-body muted">
          Nothing is proposed. In the mode <code>propose</code> a monitor's <code>propose</code> becomes a task that
          waits for you.
        </p>
      )}
      <ul class="plan-notes">
        {ids.map((id) => (
          <li key={id} class="panel-body">
            <a class="button button-primary" href={`/approvals?sel=${id}`}>
              Review task {shortId(id)}
            </a>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function FactsPanel({ finding }: { finding: FindingWithEvents }) {
  const { evidence, observed } = finding;
  return (
    <Panel title="Details">
      <dl class="facts panel-body">
        <Fact name="monitor">
          <a href={`/findings?monitor=${encodeURIComponent(finding.monitor)}`}>{finding.monitor}</a>
        </Fact>
        {evidence.series && <Fact name="series">{evidence.series}</Fact>}
        <Fact name="since">
          <When at={evidence.since} />
        </Fact>
        <Fact name="score">
          {formatFigure(evidence.score)}, peak {formatFigure(observed.peakScore)}
        </Fact>
        <Fact name="rule">
          {evidence.rule.detector}, from {formatFigure(evidence.rule.score)}
        </Fact>
        <Fact name="bad for">{countOf(observed.count, "bucket")}</Fact>
        {finding.reopened > 0 && <Fact name="came back">{countOf(finding.reopened, "time")}</Fact>}
        {finding.owner && <Fact name="owner">{finding.owner}</Fact>}
        {finding.runbook && (
          <Fact name="runbook">
            <Runbook text={finding.runbook} />
          </Fact>
        )}
        {finding.note && <Fact name="note">{finding.note}</Fact>}
        <Fact name="id">
          <span class="mono">{finding.id}</span>
        </Fact>
      </dl>
    </Panel>
  );
}

function QueryPanel({ evidence }: { evidence: Evidence }) {
  const { query } = evidence;
  if (!query) return null;
  return (
    <Panel title="The query behind it" meta={<span class="mono">{query.hash}</span>}>
      <div class="panel-body">
        <pre class="evidence">{query.text}</pre>
        <JsonTree value={query.values} />
      </div>
    </Panel>
  );
}

function valueWords(value: unknown): string {
  if (typeof value === "number") return formatFigure(value);
  const isInstant = typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);
  return isInstant ? formatDateTime(value, settings.zone.value) : toPreview(value, 120);
}

/** What an event carries, as words and figures rather than as JSON. */
function dataWords(data: Record<string, unknown>): string {
  const parts = Object.entries(data).map(([name, value]) => {
    const words = name.replaceAll(/([A-Z])/g, " $1").toLowerCase();
    return `${words} ${valueWords(value)}`;
  });
  return parts.join(", ");
}

function HistoryPanel({ events }: { events: readonly FindingEvent[] }) {
  return (
    <Panel title="History" meta={countOf(events.length, "event")}>
      <ol>
        {events.map((event) => (
          <li key={event.id} class="cause">
            <span class="muted history-at">
              <When at={event.at} />
            </span>
            <div>
              <strong>{event.kind.replaceAll("_", " ")}</strong> by {actorName(event.actor)}
              <p class="muted">{dataWords(event.data)}</p>
            </div>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Runbook({ text }: { text: string }) {
  if (!/^https?:\/\//.test(text)) return <>{text}</>;
  return (
    <a href={text} target="_blank" rel="noreferrer">
      {text}
    </a>
  );
}
