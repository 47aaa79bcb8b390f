import { isPhone } from "../app/viewport.ts";
import { valuesOf, withValues } from "../domain/filter.ts";
import { logVocabulary } from "../domain/vocabularies.ts";
import { countOf, levels } from "../domain/words.ts";
import { sizeOf } from "../store/ring.ts";
import { FilterBar, type FilterState, useFilter } from "../ui/filter-bar.tsx";
import { type FieldFilter, LogLine } from "../ui/log-row.tsx";
import { Empty, PageHead, QueryNote } from "../ui/parts.tsx";
import { TailList } from "../ui/tail.tsx";
import { LogHistogram } from "./log-histogram.tsx";
import { useLogTail } from "./log-tail.ts";

/** Filters in or out by one field of a record. */
function toFieldFilter(filter: FilterState): FieldFilter {
  return (param, value, negated) => {
    if (!negated) return filter.setTerms(withValues(filter.terms, param, [value]));
    filter.setTerms([...filter.terms, { param, values: [value], negated: true }]);
  };
}

export function LogsScreen() {
  const filter = useFilter(logVocabulary);
  const { view, query, isLive, loadOlder, fillGap } = useLogTail(filter.terms);
  const state = query.state.value;
  const key = JSON.stringify(filter.terms);
  return (
    <>
      <PageHead title="Logs">
        {countOf(sizeOf(view.shown), "record")} loaded, oldest to newest;{" "}
        {isLive ? "new ones follow at the end" : "this range is fixed, so nothing is added"}.
      </PageHead>
      <FilterBar vocabulary={logVocabulary} filter={filter} label="Filter logs" />
      <LogHistogram terms={filter.terms} onRange={filter.setTerms} />
      <LevelToggles filter={filter} />
      <QueryNote query={state} onRetry={query.reload} rows={14} />
      <div class="panel panel-list lines-of-logs">
        <TailList
          key={key}
          label="Logs"
          view={view}
          rowHeight={isPhone.value ? 44 : 22}
          draw={(row, isExpanded, toggle) =>
            row.kind === "log" ? (
              <LogLine row={row} isExpanded={isExpanded} onToggle={toggle} onFilter={toFieldFilter(filter)} />
            ) : null
          }
          onOlder={loadOlder}
          onFillGap={fillGap}
          hasKeys
        >
          {sizeOf(view.shown) === 0 && state.data !== null && (
            <NoLogs isFiltered={filter.terms.length > 0} isLive={isLive} />
          )}
        </TailList>
      </div>
    </>
  );
}

function LevelToggles({ filter }: { filter: FilterState }) {
  const chosen = valuesOf(filter.terms, "level")[0] ?? "trace";
  return (
    <fieldset class="segments segments-levels">
      <legend class="hidden">Lowest level</legend>
      {levels.map((level) => (
        <button
          key={level}
          type="button"
          class="segment"
          aria-pressed={chosen === level}
          onClick={() => filter.setTerms(withValues(filter.terms, "level", level === "trace" ? [] : [level]))}
        >
          {level === "trace" ? "all" : level === "fatal" ? "fatal" : `${level} +`}
        </button>
      ))}
    </fieldset>
  );
}

function NoLogs({ isFiltered, isLive }: { isFiltered: boolean; isLive: boolean }) {
  return (
    <Empty title={isFiltered ? "No stored record matches this filter" : "No logs yet"}>
      <p>
        {isLive ? "Records that match appear here the moment they are made." : "Widen the range, or remove a filter."}
      </p>
    </Empty>
  );
}
