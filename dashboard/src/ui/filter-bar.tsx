import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useKeys } from "../app/keys.ts";
import { replaceSearch, search } from "../app/router.ts";
import {
  isFixed,
  type Problem,
  parseFilter,
  parseSearch,
  type Term,
  toApi,
  toSearch,
  type Vocabulary,
  valuesOf,
  withValues,
  writeFilter,
  writeTerm,
} from "../domain/filter.ts";

const TYPING_MS = 250;

/** A list's filter as the page's address says it. */
export type FilterState = { terms: Term[]; problems: Problem[]; setTerms: (terms: readonly Term[]) => void };

export function useFilter<Row>(vocabulary: Vocabulary<Row>): FilterState {
  const { terms, problems } = parseSearch(search.value, vocabulary);
  return { terms, problems, setTerms: (next) => replaceSearch(toSearch(next, vocabulary, search.peek())) };
}

type FilterBarProps<Row> = { vocabulary: Vocabulary<Row>; filter: FilterState; label: string; ranges?: boolean };

/** The one filter of a list: the text as it is typed, and the chips of what it means. */
export function FilterBar<Row>({ vocabulary, filter, label, ranges = true }: FilterBarProps<Row>) {
  const { box, typed, change, apply } = useTypedFilter(vocabulary, filter);
  useKeys({ "/": ["Filter this list", () => box.current?.focus()] });
  const shown = typed.value ?? writeFilter(filter.terms, vocabulary);
  const problems = typed.value === null ? filter.problems : parseFilter(typed.value, vocabulary).problems;
  const names = vocabulary.keys.map((key) => key.names[0]);
  return (
    <div class="filter">
      <div class="filter-row">
        <input
          ref={box}
          class="input mono filter-box"
          type="search"
          aria-label={label}
          aria-describedby="filter-help"
          aria-invalid={problems.length > 0}
          placeholder={`${vocabulary.keys[0]?.example ?? ""} "exact words"`}
          spellcheck={false}
          autocomplete="off"
          value={shown}
          onInput={(event) => change(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") apply();
            if (event.key === "Escape") box.current?.blur();
          }}
          onBlur={apply}
        />
        {ranges && <RangeSelect filter={filter} />}
      </div>
      <Chips vocabulary={vocabulary} filter={filter} />
      <p
        class={problems.length > 0 ? "filter-problem" : "filter-help"}
        id="filter-help"
        role={problems.length > 0 ? "alert" : undefined}
      >
        {problems[0]?.message ?? `Filters: ${names.join(", ")}. A minus excludes: -${names[1]}:…`}
      </p>
    </div>
  );
}

/** What is typed counts once typing rests; text with a problem stays in the box and changes nothing. */
function useTypedFilter<Row>(vocabulary: Vocabulary<Row>, filter: FilterState) {
  const box = useRef<HTMLInputElement>(null);
  const typed = useSignal<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const commit = (text: string, leave: boolean) => {
    clearTimeout(timer.current);
    const parsed = parseFilter(text, vocabulary);
    if (parsed.problems.length > 0) return;
    filter.setTerms(parsed.terms);
    if (leave) typed.value = null;
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    box,
    typed,
    change(text: string) {
      typed.value = text;
      clearTimeout(timer.current);
      timer.current = setTimeout(() => commit(text, false), TYPING_MS);
    },
    apply() {
      if (typed.value !== null) commit(typed.value, true);
    },
  };
}

const ranges = [
  ["", "Any time"],
  ["15m", "Last 15 min"],
  ["1h", "Last hour"],
  ["24h", "Last 24 h"],
  ["7d", "Last 7 days"],
] as const;

function RangeSelect({ filter }: { filter: FilterState }) {
  const since = valuesOf(filter.terms, "since")[0] ?? "";
  const isOther = !ranges.some(([value]) => value === since) || isFixed(filter.terms);
  const change = (value: string) => {
    const open = withValues(filter.terms, "until", []);
    filter.setTerms(withValues(open, "since", value === "" ? [] : [value]));
  };
  return (
    <select
      class="input"
      aria-label="Time range"
      value={isOther ? "other" : since}
      onChange={(event) => change(event.currentTarget.value)}
    >
      {ranges.map(([value, words]) => (
        <option key={value} value={value}>
          {words}
        </option>
      ))}
      {isOther && (
        <option value="other" disabled>
          {isFixed(filter.terms) ? "Fixed range" : `Since ${since}`}
        </option>
      )}
    </select>
  );
}

function Chips<Row>({ vocabulary, filter }: { vocabulary: Vocabulary<Row>; filter: FilterState }) {
  if (filter.terms.length === 0) return null;
  const { local } = toApi(filter.terms, vocabulary, 0);
  const remove = (term: Term) => filter.setTerms(filter.terms.filter((other) => other !== term));
  return (
    <ul class="chips" aria-label="Filters in force">
      {filter.terms.map((term) => {
        const text = writeTerm(term, vocabulary);
        return (
          <li class="chip" key={text}>
            <span class="mono">{text}</span>
            {local.includes(term) && <span class="chip-note">loaded rows only</span>}
            <button type="button" class="chip-close" aria-label={`Remove ${text}`} onClick={() => remove(term)}>
              ×
            </button>
          </li>
        );
      })}
      <li>
        <button type="button" class="link" onClick={() => filter.setTerms([])}>
          Clear
        </button>
      </li>
    </ul>
  );
}
