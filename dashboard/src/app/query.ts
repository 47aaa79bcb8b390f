import { type ReadonlySignal, type Signal, useSignal } from "@preact/signals";
import { useCallback, useEffect, useRef } from "preact/hooks";
import type { Answer, Failure } from "../net/rest.ts";
import { isUp } from "../net/stream-state.ts";
import { useApp } from "./context.ts";

export type QueryState<T> = {
  data: T | null;
  failure: Failure | null;
  loading: boolean;
  /** The read has taken 150 ms: time for a skeleton, which would only flicker before. */
  slow: boolean;
  loadedAtMs: number | null;
};
export type Query<T> = { state: ReadonlySignal<QueryState<T>>; reload: () => void };

const SLOW_MS = 150;
const idle = { data: null, failure: null, loading: true, slow: false, loadedAtMs: null };

async function run<T>(
  state: Signal<QueryState<T>>,
  load: (signal: AbortSignal) => Promise<Answer<T>>,
  signal: AbortSignal,
): Promise<void> {
  state.value = { ...state.peek(), loading: true, slow: false };
  const timer = setTimeout(() => {
    state.value = { ...state.peek(), slow: true };
  }, SLOW_MS);
  const answer = await load(signal);
  clearTimeout(timer);
  if (signal.aborted) return;
  const settledState = { loading: false, slow: false };
  if (answer.ok) state.value = { data: answer.body, failure: null, loadedAtMs: Date.now(), ...settledState };
  else state.value = { ...state.peek(), failure: answer.failure, ...settledState };
}

/** What a query remembers between draws: its newest functions, and which epoch its last read was sent in. */
type Memory<T> = {
  load: (signal: AbortSignal) => Promise<Answer<T>>;
  onData: ((data: T) => void) | undefined;
  key: string | null;
  sentEpoch: number | null;
  controller: AbortController | null;
};

const isPassing = ({ kind, status }: Failure) => kind === "network" || kind === "timeout" || status >= 500;

/**
 * Reads something by REST for as long as a screen is shown: again when its key changes, when the stream says that a read may have
 * holes, after a new sign-in, and once the fleet is back after a read that failed. A failed read keeps the data it had. A null key
 * reads nothing.
 *
 * @param key names the question; another key forgets the old answer
 * @param onData called with each answer before the screen is drawn with it
 */
export function useQuery<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<Answer<T>>,
  onData?: (data: T) => void,
): Query<T> {
  const app = useApp();
  const state = useSignal<QueryState<T>>(idle);
  const memory = useRef<Memory<T>>({ load, onData, key: null, sentEpoch: null, controller: null }).current;
  memory.load = load;
  memory.onData = onData;
  const reload = useCallback(() => {
    memory.controller?.abort();
    const controller = new AbortController();
    memory.controller = controller;
    memory.sentEpoch = null;
    const read = async (signal: AbortSignal) => {
      await app.settled();
      memory.sentEpoch = app.epoch.peek();
      const answer = await memory.load(signal);
      if (answer.ok && !signal.aborted) memory.onData?.(answer.body);
      return answer;
    };
    void run(state, read, controller.signal);
  }, [app, memory, state]);
  useReasons(key, { state, memory, reload });
  return { state, reload };
}

type Reasons<T> = { state: Signal<QueryState<T>>; memory: Memory<T>; reload: () => void };

function useReasons<T>(key: string | null, { state, memory, reload }: Reasons<T>): void {
  const app = useApp();
  const isSignedIn = app.auth.state.value === "in";
  const isLive = isUp(app.stream.status.value.phase);
  const epoch = app.epoch.value;
  useEffect(() => {
    if (key === null || !isSignedIn) return;
    if (memory.key !== key) state.value = idle;
    memory.key = key;
    reload();
    return () => memory.controller?.abort();
  }, [key, isSignedIn, memory, reload, state]);
  useEffect(() => {
    if (memory.sentEpoch !== null && memory.sentEpoch < epoch) reload();
  }, [epoch, memory, reload]);
  useEffect(() => {
    const { failure } = state.peek();
    if (isLive && failure && isPassing(failure)) reload();
  }, [isLive, reload, state]);
}
