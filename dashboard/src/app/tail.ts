import { type Signal, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Batch } from "../store/live.ts";
import type { FeedRow, GapRow } from "../store/rows.ts";
import { appendRows, emptyTail, fillGap, prependRows, type Tail } from "../store/tail.ts";
import { useApp } from "./context.ts";
import { pausedTail } from "./pause.ts";

/** Why a tail stands still. One that was scrolled away from goes on by itself when its end is reached again. */
export type PauseReason = "scroll" | "key" | "selection";
type Pause = { reason: PauseReason; tail: Tail; atMs: number };

export type TailView = {
  /** What is on screen: the tail as it is, or as it was when it was paused. */
  shown: Tail;
  fresh: number;
  paused: PauseReason | null;
  pause: (reason: PauseReason) => void;
  resume: () => void;
  /** Starts over with rows that were read, oldest first; what the stream has brought since is added. */
  start: (rows: readonly FeedRow[], since: readonly FeedRow[]) => void;
  addOlder: (rows: readonly FeedRow[]) => void;
  fill: (gap: GapRow, rows: readonly FeedRow[]) => void;
};

type Parts = { tail: Signal<Tail>; pause: Signal<Pause | null> };

/** A change of the past (history, a filled gap) belongs to the paused picture too; what is new does not. */
function changePast({ tail, pause }: Parts, change: (tail: Tail) => Tail): void {
  tail.value = change(tail.value);
  if (pause.value) pause.value = { ...pause.value, tail: change(pause.value.tail) };
}

function usePausedSign(pause: Signal<Pause | null>, fresh: Signal<number> | { readonly value: number }): void {
  const held = pause.value;
  const count = fresh.value;
  useEffect(() => {
    pausedTail.value = held ? { atMs: held.atMs, fresh: count } : null;
  }, [held, count]);
  useEffect(
    () => () => {
      pausedTail.value = null;
    },
    [],
  );
}

/**
 * A live tail: rows that were read, then those the stream brings. Pausing keeps the picture and hides nothing: what arrives is
 * counted and there when it goes on.
 */
export function useTail(accepts: (row: FeedRow) => boolean, isLive: boolean): TailView {
  const app = useApp();
  const tail = useSignal<Tail>(emptyTail);
  const pause = useSignal<Pause | null>(null);
  const latest = useRef({ accepts, isLive });
  latest.current = { accepts, isLive };
  const fresh = useComputed(() => (pause.value ? tail.value.end - pause.value.tail.end : 0));
  usePausedSign(pause, fresh);
  useEffect(
    () =>
      app.onBatch((batch: Batch) => {
        if (!latest.current.isLive) return;
        tail.value = appendRows(tail.value, batch.rows.filter(latest.current.accepts));
      }),
    [app, tail],
  );
  return {
    shown: pause.value?.tail ?? tail.value,
    fresh: fresh.value,
    paused: pause.value?.reason ?? null,
    pause(reason) {
      pause.value ??= { reason, tail: tail.value, atMs: Date.now() };
    },
    resume() {
      pause.value = null;
    },
    start(rows, since) {
      pause.value = null;
      tail.value = appendRows(prependRows(emptyTail, rows), since);
    },
    addOlder: (rows) => changePast({ tail, pause }, (held) => prependRows(held, rows)),
    fill: (gap, rows) => changePast({ tail, pause }, (held) => fillGap(held, gap.key, rows)),
  };
}
