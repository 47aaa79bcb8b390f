import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useReducer, useRef } from "preact/hooks";

/*
 * A window on a long list: only the rows in view are in the document.
 *
 * Rows have absolute numbers, so that those a bounded list loses or gains at its front change nobody's number. Every row has the
 * fixed height, an expanded one more; a row's place is the prefix sum of both. The row at the top of the view is the anchor: after
 * each draw the scroll position is put back so that it has not moved, in the layout effect, because beside the change it is seen
 * to move. A tail that follows is put to its end instead.
 */

export type ListHandle = {
  scrollToRow: (number: number) => void;
  focusRow: (number: number) => void;
  scrollToEnd: () => void;
};

export type ListProps = {
  label: string;
  first: number;
  end: number;
  rowHeight: number;
  keyOf: (number: number) => string;
  renderRow: (number: number) => ComponentChildren;
  /** Heights of expanded rows beyond the fixed one, by number; measured here, kept by whoever owns the list. */
  expanded?: ReadonlySet<number>;
  following?: boolean;
  /** The person scrolled: away from the end, or back to it. */
  onFollow?: (following: boolean) => void;
  /** A click on a row's empty part; controls inside it keep theirs. */
  onRowClick?: (number: number) => void;
  /** Where the list was scrolled to when it was last shown, and word of where it is. */
  initialTop?: number;
  onTop?: (top: number) => void;
  onNearStart?: () => void;
  onNearEnd?: () => void;
  handle?: RefObject<ListHandle | null>;
  header?: ComponentChildren;
  children?: ComponentChildren;
};

/** Roles for what cannot be a real `<table>`: rows that are placed one by one and only while they are in view. */
const asTable = (label: string, rows: number) =>
  ({ role: "table", "aria-label": label, "aria-rowcount": rows }) as const;
export const asRowGroup = { role: "rowgroup" } as const;
export const asRow = { role: "row" } as const;
export const asCell = { role: "cell" } as const;
export const asColumn = { role: "columnheader" } as const;

const OVERSCAN = 8;
const NEAR_ROWS = 20;

type Anchor = { number: number; offset: number };

class Layout {
  readonly #first: number;
  readonly #rowHeight: number;
  readonly #extras: readonly (readonly [number, number])[];

  constructor(first: number, rowHeight: number, extras: ReadonlyMap<number, number>) {
    this.#first = first;
    this.#rowHeight = rowHeight;
    this.#extras = [...extras].filter(([number]) => number >= first).sort(([left], [right]) => left - right);
  }

  topOf(number: number): number {
    let top = (number - this.#first) * this.#rowHeight;
    for (const [expanded, extra] of this.#extras) {
      if (expanded >= number) break;
      top += extra;
    }
    return top;
  }

  rowAt(offset: number): number {
    let shift = 0;
    for (const [expanded, extra] of this.#extras) {
      const top = (expanded - this.#first) * this.#rowHeight + shift;
      if (offset < top + this.#rowHeight) break;
      if (offset < top + this.#rowHeight + extra) return expanded;
      shift += extra;
    }
    return this.#first + Math.floor((offset - shift) / this.#rowHeight);
  }
}

type View = { scrollTop: number; height: number };

/** What the list remembers between draws without drawing again. */
type Memory = { anchor: Anchor | null; view: View; heights: Map<number, number>; lastTop: number };

function keepHeights(
  memory: Memory,
  expanded: ReadonlySet<number> | undefined,
  rowHeight: number,
): Map<number, number> {
  const extras = new Map<number, number>();
  for (const number of expanded ?? [])
    extras.set(number, Math.max(0, (memory.heights.get(number) ?? rowHeight) - rowHeight));
  return extras;
}

function measure(memory: Memory, scroller: HTMLElement): boolean {
  let changed = false;
  for (const element of scroller.querySelectorAll<HTMLElement>("[data-expanded]")) {
    const number = Number(element.dataset.expanded);
    const height = Math.ceil(element.getBoundingClientRect().height);
    if (memory.heights.get(number) === height) continue;
    memory.heights.set(number, height);
    changed = true;
  }
  return changed;
}

function isAtEnd(scroller: HTMLElement): boolean {
  return scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 4;
}

function useViewHeight(scroller: RefObject<HTMLElement | null>, memory: Memory, redraw: () => void): void {
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (memory.view.height === element.clientHeight) return;
      memory.view = { ...memory.view, height: element.clientHeight };
      redraw();
    });
    observer.observe(element);
    memory.view = { scrollTop: element.scrollTop, height: element.clientHeight };
    redraw();
    return () => observer.disconnect();
  }, [scroller, memory, redraw]);
}

function buildHandle(scroller: HTMLElement, layout: Layout, rowHeight: number): ListHandle {
  const scrollToRow = (number: number) => {
    const top = layout.topOf(number);
    const header = scroller.querySelector<HTMLElement>(".list-header")?.offsetHeight ?? 0;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + rowHeight + header > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + rowHeight + header - scroller.clientHeight;
    }
  };
  return {
    scrollToRow,
    focusRow(number) {
      scrollToRow(number);
      const find = () => scroller.querySelector<HTMLElement>(`[data-row="${number}"] [data-focus]`);
      const row = find();
      // At once where it can be: the next key may come before the next frame, and means this row.
      if (row) return row.focus({ preventScroll: true });
      // A row that was out of view enters the document with the draw that the scroll causes.
      requestAnimationFrame(() => requestAnimationFrame(() => find()?.focus({ preventScroll: true })));
    },
    scrollToEnd() {
      scroller.scrollTop = scroller.scrollHeight;
    },
  };
}

function clamp(number: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, number));
}

type Placed = { props: ListProps; layout: Layout; memory: Memory; redraw: () => void };

/** Where a list is scrolled to when its end is in view. */
function endTop({ end }: ListProps, layout: Layout, { view }: Memory): number {
  return Math.max(0, layout.topOf(end) - view.height);
}

/** After each draw: measures what is expanded, then puts the scroll position back to the anchor, or to the end of a tail. */
function settleScroll(element: HTMLElement, { props, layout, memory, redraw }: Placed): void {
  let changed = measure(memory, element);
  if (props.following) element.scrollTop = element.scrollHeight;
  else if (memory.anchor && memory.anchor.number >= props.first) {
    const wanted = layout.topOf(memory.anchor.number) + memory.anchor.offset;
    if (Math.abs(wanted - element.scrollTop) >= 1) element.scrollTop = wanted;
  }
  memory.lastTop = element.scrollTop;
  if (memory.lastTop !== memory.view.scrollTop) {
    // A tail that follows was drawn for its end already: drawing it a second time each frame would cost as much as the first.
    const isDrawn = props.following && Math.abs(memory.lastTop - endTop(props, layout, memory)) <= props.rowHeight;
    memory.view = { ...memory.view, scrollTop: memory.lastTop };
    changed ||= !isDrawn;
  }
  if (props.handle) props.handle.current = buildHandle(element, layout, props.rowHeight);
  if (changed) redraw();
}

function noteScroll(element: HTMLElement, { props, layout, memory, redraw }: Placed): void {
  const movedUp = element.scrollTop < memory.lastTop - 1;
  memory.lastTop = element.scrollTop;
  memory.view = { scrollTop: element.scrollTop, height: element.clientHeight };
  const number = layout.rowAt(element.scrollTop);
  memory.anchor = { number, offset: element.scrollTop - layout.topOf(number) };
  if (props.following && movedUp && !isAtEnd(element)) props.onFollow?.(false);
  else if (!props.following && !movedUp && isAtEnd(element)) props.onFollow?.(true);
  props.onTop?.(element.scrollTop);
  redraw();
}

/** A plain click on a row; one that selected text or hit a control meant something else. */
function clickedRow(event: MouseEvent): number | null {
  if (!(event.target instanceof Element) || event.target.closest("a, button, input, .line-details")) return null;
  if (document.getSelection()?.isCollapsed === false) return null;
  const row = event.target.closest<HTMLElement>("[data-row]")?.dataset.row;
  return row === undefined ? null : Number(row);
}

const newMemory = (): Memory => ({ anchor: null, view: { scrollTop: 0, height: 0 }, heights: new Map(), lastTop: 0 });

export function RowList(props: ListProps) {
  const { first, end, rowHeight } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const memory = useRef<Memory>(newMemory()).current;
  const [, redraw] = useReducer<number, void>((count) => count + 1, 0);
  const layout = new Layout(first, rowHeight, keepHeights(memory, props.expanded, rowHeight));
  const placed = { props, layout, memory, redraw };
  const top = props.following ? endTop(props, layout, memory) : memory.view.scrollTop;
  const from = clamp(layout.rowAt(top) - OVERSCAN, first, end);
  const to = clamp(layout.rowAt(top + memory.view.height) + OVERSCAN, first, end);
  useViewHeight(scroller, memory, redraw);
  useLayoutEffect(() => {
    if (scroller.current && props.initialTop) scroller.current.scrollTop = props.initialTop;
  }, []);
  useLayoutEffect(() => {
    if (scroller.current) settleScroll(scroller.current, placed);
  });
  useEffect(() => {
    if (from - first < NEAR_ROWS) props.onNearStart?.();
    if (end - to < NEAR_ROWS) props.onNearEnd?.();
  }, [from, to, first, end]);
  const onScroll = () => {
    if (scroller.current) noteScroll(scroller.current, placed);
  };
  const onClick = (event: MouseEvent) => {
    const number = props.onRowClick ? clickedRow(event) : null;
    if (number !== null) props.onRowClick?.(number);
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    // biome-ignore lint/a11y/useKeyWithClickEvents: every row has a control that does the same
    <section class="list" ref={scroller} onScroll={onScroll} onClick={onClick} aria-label={props.label} tabIndex={0}>
      <div {...asTable(props.label, end - first + (props.header ? 1 : 0))}>
        {props.header}
        <div class="list-rows" style={{ height: `${layout.topOf(end)}px` }} {...asRowGroup}>
          {Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index).map((number) => (
            <ListRow
              key={props.keyOf(number)}
              number={number}
              top={layout.topOf(number)}
              isExpanded={props.expanded?.has(number) ?? false}
            >
              {props.renderRow(number)}
            </ListRow>
          ))}
        </div>
      </div>
      {props.children}
    </section>
  );
}

type ListRowProps = { number: number; top: number; isExpanded: boolean; children: ComponentChildren };

function ListRow({ number, top, isExpanded, children }: ListRowProps) {
  return (
    <div
      class="list-row"
      data-row={number}
      data-expanded={isExpanded ? number : undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      {children}
    </div>
  );
}
