import { type ReadonlySignal, type Signal, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Batch } from "../store/live.ts";
import type { FeedRow, GapRow } from "../store/rows.ts";
import { appendRows, dropRows, emptyTail, fillGap, prependRows, type Tail } from "../store/tail.ts";
import { useApp } from "./context.ts";
import { pausedTail } from "./pause.ts";

/** Why a tail stands still. One that was scrolled away from goes on by itself when its end is reached again. */
export type PauseReason = "scroll" | "key" | "selection";
/** `arrived`: how many rows the stream had brought when it was paused. */
type Pause = { reason: PauseReason; tail: Tail; atMs: number; arrived: number };

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

function usePausedSign(pause: Signal<Pause | null>, fresh: ReadonlySignal<number>): void {
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
 * A record may be read by REST and come by the stream too, when it was made in between. The stream's place for it is the right
 * one: what was made before it may still be on its way.
 */
function withoutRead(tail: Tail, rows: readonly FeedRow[], read: ReadonlySet<string>): Tail {
  const again = new Set(rows.flatMap((row) => (read.has(row.key) ? [row.key] : [])));
  return again.size === 0 ? tail : dropRows(tail, again);
}

/**
 * A live tail: rows that were read, then those the stream brings. Pausing keeps the picture and hides nothing: what arrives is
 * counted and there when it goes on.
 *
 * @param key names the question; another one forgets rows and pause
 */
export function useTail(key: string, accepts: (row: FeedRow) => boolean, isLive: boolean): TailView {
  const app = useApp();
  const tail = useSignal<Tail>(emptyTail);
  const pause = useSignal<Pause | null>(null);
  const arrived = useSignal(0);
  const latest = useRef({ accepts, isLive, key });
  const read = useRef<ReadonlySet<string>>(new Set());
  if (latest.current.key !== key) {
    tail.value = emptyTail;
    pause.value = null;
  }
  latest.current = { accepts, isLive, key };
  const fresh = useComputed(() => (pause.value ? arrived.value - pause.value.arrived : 0));
  usePausedSign(pause, fresh);
  useEffect(
    () =>
      app.onBatch((batch: Batch) => {
        if (!latest.current.isLive) return;
        const rows = batch.rows.filter(latest.current.accepts);
        tail.value = appendRows(withoutRead(tail.value, rows, read.current), rows);
        arrived.value += rows.length;
      }),
    [app, tail, arrived],
  );
  return {
    shown: pause.value?.tail ?? tail.value,
    fresh: fresh.value,
    paused: pause.value?.reason ?? null,
    pause(reason) {
      pause.value ??= { reason, tail: tail.value, atMs: Date.now(), arrived: arrived.value };
    },
    resume() {
      pause.value = null;
    },
    start(rows, since) {
      read.current = new Set(rows.map((row) => row.key));
      tail.value = appendRows(prependRows(emptyTail, rows), since);
    },
    addOlder: (rows) => changePast({ tail, pause }, (held) => prependRows(held, rows)),
    fill: (gap, rows) => changePast({ tail, pause }, (held) => fillGap(held, gap.key, rows)),
  };
}
