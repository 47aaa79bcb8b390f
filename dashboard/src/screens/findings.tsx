import { useApp } from "../app/context.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { hasNewsOf } from "../app/news.ts";
import { search } from "../app/router.ts";
import { matchesRow, toApi, valuesOf, withToggled } from "../domain/filter.ts";
import { type Finding, type FindingStatus, findingStatuses, type Severity } from "../domain/finding.ts";
import { findingVocabulary } from "../domain/vocabularies-more.ts";
import { CallProblem, useCall } from "../ui/call.tsx";
import { Toggle } from "../ui/field.tsx";
import { FilterBar, type FilterState, useFilter } from "../ui/filter-bar.tsx";
import { Empty, PageHead, QueryNote } from "../ui/parts.tsx";
import { CopyCurl, Gate, MoreButton, pickTab, Tabs, useLinkKeys } from "../ui/screen-parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { toast } from "../ui/toast.tsx";
import { Age } from "../ui/when.tsx";
import { MonitorsTab } from "./monitors.tsx";

const tabs = [
  ["findings", "Findings"],
  ["monitors", "Monitors"],
] as const;

export const severityLamps: Record<Severity, Lamp> = { info: "unknown", warning: "warn", critical: "failed" };
export const findingLamps: Record<FindingStatus, Lamp> = {
  open: "waiting",
  acknowledged: "running",
  snoozed: "queued",
  resolved: "completed",
  declined: "canceled",
};

export function FindingsScreen() {
  const tab = pickTab(tabs, search.value.get("tab"));
  return (
    <>
      <PageHead
        title="Findings"
        actions={
          <>
            <CopyCurl service="posthog-watcher" path={tab === "findings" ? "/findings" : "/monitors"} />
            <CheckNow />
          </>
        }
      >
        What the monitors saw that was not expected, with the evidence.
      </PageHead>
      <Gate service="posthog-watcher" settings="POSTHOG_API_KEY, POSTHOG_PROJECT_ID">
        <Tabs tabs={tabs} current={tab} label="Findings and monitors" />
        {tab === "findings" ? <FindingsTab /> : <MonitorsTab />}
      </Gate>
    </>
  );
}

function CheckNow() {
  const app = useApp();
  const call = useCall();
  const check = () =>
    void call.run(
      () => app.rest.call("posthog-watcher", "/watch/run", { method: "POST", body: {} }),
      () => toast("Every monitor looks now"),
    );
  return (
    <>
      <CallProblem call={call} />
      <button type="button" class="button" disabled={call.busy.value} onClick={check}>
        Look now
      </button>
    </>
  );
}

function FindingsTab() {
  const filter = useFilter(findingVocabulary);
  const { query } = toApi(filter.terms, findingVocabulary, 0);
  const findings = useItems<Finding>("posthog-watcher", "/findings", query);
  useLinkKeys(".finding-list", "finding");
  useReloadOn(findings.query.reload, (batch) => hasNewsOf(batch, "posthog-watcher"));
  const rows = findings.rows.filter((row) => matchesRow(row, filter.terms, findingVocabulary, 0));
  const state = findings.query.state.value;
  return (
    <>
      <FilterBar vocabulary={findingVocabulary} filter={filter} label="Filter findings" ranges={false} />
      <StatusToggles filter={filter} />
      <QueryNote query={state} onRetry={findings.query.reload} rows={6} />
      {state.data && rows.length === 0 && <NoFindings isFiltered={filter.terms.length > 0} />}
      {rows.length > 0 && (
        <ul class="panel finding-list">
          {rows.map((finding) => (
            <FindingRow key={finding.id} finding={finding} />
          ))}
        </ul>
      )}
      <MoreButton items={findings} />
    </>
  );
}

function StatusToggles({ filter }: { filter: FilterState }) {
  const chosen = valuesOf(filter.terms, "status");
  return (
    <fieldset class="toggles">
      <legend class="hidden">Status</legend>
      {findingStatuses.map((status) => (
        <Toggle
          key={status}
          pressed={chosen.includes(status)}
          onPress={() => filter.setTerms(withToggled(filter.terms, "status", status))}
        >
          <span>{status}</span>
        </Toggle>
      ))}
    </fieldset>
  );
}

function NoFindings({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered)
    return (
      <Empty title="No finding matches this filter">
        <p>Findings that match from now on appear here by themselves.</p>
      </Empty>
    );
  return (
    <Empty title="Nothing was found">
      <p>
        The monitors compare what they read with what they expect. What leaves its band becomes a finding, with the
        numbers as they were, what happened just before, and a task that would put it right.
      </p>
      <a class="button" href="/findings?tab=monitors">
        What is watched
      </a>
    </Empty>
  );
}

function FindingRow({ finding }: { finding: Finding }) {
  return (
    <li class="finding-row">
      <LampWord lamp={severityLamps[finding.severity]}>{finding.severity}</LampWord>
      <div class="finding-text">
        <a class="strong" href={`/findings/${finding.id}`} data-focus>
          {finding.title}
        </a>
        <p class="muted">
          monitor {finding.monitor}
          {finding.owner && `, of ${finding.owner}`}
          {finding.proposedTaskIds.length > 0 && ", with a proposal"}
        </p>
      </div>
      <LampWord lamp={findingLamps[finding.status]}>{finding.status}</LampWord>
      <span class="muted finding-age">
        <Age at={finding.openedAt} />
      </span>
    </li>
  );
}
