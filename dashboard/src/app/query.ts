import { type ReadonlySignal, type Signal, useSignal } from "@preact/signals";
import { useCallback, useEffect, useRef } from "preact/hooks";
import type { Answer, Failure } from "../net/rest.ts";
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

/**
 * Reads something by REST for as long as a screen is shown: again when its key changes, when the stream says that a read may have
 * holes, and after a new sign-in. A failed read keeps the data it had. A null key reads nothing.
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
  const asked = useSignal(0);
  const latest = useRef({ load, onData, key: "" as string | null });
  latest.current.load = load;
  latest.current.onData = onData;
  const reload = useCallback(() => {
    asked.value++;
  }, [asked]);
  const isSignedIn = app.auth.state.value === "in";

  // The epoch and the count of requests are no inputs of the read but reasons to do it again.
  useEffect(() => {
    if (key === null || !isSignedIn) return;
    if (latest.current.key !== key) state.value = idle;
    latest.current.key = key;
    const controller = new AbortController();
    const settledLoad = async (signal: AbortSignal) => {
      await app.settled();
      const answer = await latest.current.load(signal);
      if (answer.ok && !signal.aborted) latest.current.onData?.(answer.body);
      return answer;
    };
    void run(state, settledLoad, controller.signal);
    return () => controller.abort();
  }, [key, isSignedIn, app.epoch.value, asked.value]);

  return { state, reload };
}
