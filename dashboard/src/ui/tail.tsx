import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useKeys } from "../app/keys.ts";
import type { TailView } from "../app/tail.ts";
import { countOf } from "../domain/words.ts";
import { rowAt } from "../store/ring.ts";
import type { FeedRow, GapRow } from "../store/rows.ts";
import { asCell, asRow, type ListHandle, RowList } from "./list.tsx";
import { Glyph } from "./status.tsx";
import { When } from "./when.tsx";

export type DrawRow = (row: FeedRow, isExpanded: boolean, toggle: () => void) => ComponentChildren;

type TailListProps = {
  label: string;
  view: TailView;
  rowHeight: number;
  draw: DrawRow;
  onOlder?: () => void;
  onFillGap?: (gap: GapRow) => void;
  /** Owns the keys of its screen (a tail that is a part of a page does not). */
  hasKeys?: boolean;
  children?: ComponentChildren;
};

/** The list of a live tail, oldest to newest: it follows its end until the person looks at something. */
export function TailList(props: TailListProps) {
  const { view, label, rowHeight } = props;
  const { shown } = view;
  const expanded = useSignal<ReadonlySet<number>>(new Set());
  const handle = useRef<ListHandle>(null);
  const frame = useRef<HTMLDivElement>(null);
  useSelectionPause(frame, view);
  const toggle = (number: number) => {
    const next = new Set(expanded.value);
    if (!next.delete(number)) next.add(number);
    expanded.value = next;
    // What is being read must not move away.
    view.pause("key");
  };
  return (
    <div class="tail" ref={frame}>
      {props.hasKeys && <TailKeys view={view} handle={handle} />}
      <RowList
        label={label}
        first={shown.first}
        end={shown.end}
        rowHeight={rowHeight}
        keyOf={(number) => rowAt(shown, number)?.key ?? String(number)}
        expanded={expanded.value}
        following={view.paused === null}
        onFollow={(follows) => (follows ? view.paused === "scroll" && view.resume() : view.pause("scroll"))}
        onNearStart={props.onOlder}
        onRowClick={toggle}
        handle={handle}
        renderRow={(number) => {
          const row = rowAt(shown, number);
          if (!row) return null;
          if (row.kind === "gap") return <GapLine gap={row} onFill={props.onFillGap} />;
          if (row.kind === "mark") return <MarkLine text={row.text} at={row.at} />;
          return props.draw(row, expanded.value.has(number), () => toggle(number));
        }}
      >
        {props.children}
      </RowList>
      {view.paused !== null && <ResumePill view={view} />}
    </div>
  );
}

function ResumePill({ view }: { view: TailView }) {
  const words = view.fresh > 0 ? `${countOf(view.fresh, "new", "new")}, jump to now` : "Paused, follow again";
  return (
    <button type="button" class="pill pill-bottom" onClick={view.resume}>
      {words}
    </button>
  );
}

/** Selecting text in rows that move is not possible: a selection holds them. */
function useSelectionPause(frame: { current: HTMLElement | null }, view: TailView): void {
  const latest = useRef(view);
  latest.current = view;
  useEffect(() => {
    const onSelect = () => {
      const selection = document.getSelection();
      const inside = selection && !selection.isCollapsed && frame.current?.contains(selection.anchorNode);
      if (inside) latest.current.pause("selection");
    };
    document.addEventListener("selectionchange", onSelect);
    return () => document.removeEventListener("selectionchange", onSelect);
  }, [frame]);
}

function focusedRow(): number | null {
  const row = document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.row;
  return row === undefined ? null : Number(row);
}

function TailKeys({ view, handle }: { view: TailView; handle: { current: ListHandle | null } }) {
  const { first, end } = view.shown;
  const move = (step: number) => {
    view.pause("key");
    const from = focusedRow() ?? (step < 0 ? end : end - 2);
    handle.current?.focusRow(Math.min(end - 1, Math.max(first, from + step)));
  };
  useKeys({
    Space: ["Pause or go on", () => (view.paused === null ? view.pause("key") : view.resume())],
    ".": ["Jump to now", view.resume],
    j: ["Next row", () => move(1)],
    k: ["Row before", () => move(-1)],
  });
  return null;
}

const gapWords: Record<string, string> = {
  slow_tab: "skipped while this tab was too slow",
  slow_client: "skipped because this page read too slowly",
  retention: "skipped because the stream's memory does not reach back that far",
};

/** A loss is a row of its own, where it happened. */
function GapLine({ gap, onFill }: { gap: GapRow; onFill?: (gap: GapRow) => void }) {
  const count =
    gap.dropped === null ? "An unknown number of records was" : `${countOf(gap.dropped, "record was", "records were")}`;
  return (
    <div {...asRow} class="line line-gap">
      <span {...asCell} class="line-gap-words">
        <Glyph lamp="warn" />
        <span>
          {count} {gapWords[gap.reason] ?? "skipped"}.
        </span>
        {onFill && (
          <button type="button" class="link" onClick={() => onFill(gap)}>
            Load what is stored
          </button>
        )}
      </span>
    </div>
  );
}

function MarkLine({ text, at }: { text: string; at: string }) {
  return (
    <div {...asRow} class="line line-mark">
      <span {...asCell}>
        {text} <When at={at} form="clock" />
      </span>
    </div>
  );
}
