import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Query as Asked, Failure } from "../net/rest.ts";
import type { Batch } from "../store/live.ts";
import { useApp } from "./context.ts";
import { type Query, useQuery } from "./query.ts";

export type Page<T> = { items: T[]; nextCursor: string | null };
export type Items<T> = {
  rows: readonly T[];
  query: Query<Page<T>>;
  /** null once the last page is there */
  loadMore: (() => void) | null;
  /** Why the last further page could not be read. */
  moreFailure: Failure | null;
};

/** A list of the API, page by page, for as long as a screen is shown. A null path reads nothing. */
export function useItems<T>(service: string, path: string | null, asked: Asked = {}): Items<T> {
  const app = useApp();
  const rows = useSignal<readonly T[]>([]);
  const cursor = useSignal<string | null>(null);
  const moreFailure = useSignal<Failure | null>(null);
  const key = path === null ? null : `${service} ${path} ${JSON.stringify(asked)}`;
  const latest = useRef(key);
  latest.current = key;
  const read = (from: string | undefined, signal?: AbortSignal) =>
    app.rest.call<Page<T>>(service, path ?? "", { query: { ...asked, cursor: from }, signal });
  const query = useQuery<Page<T>>(
    key,
    (signal) => read(undefined, signal),
    (page) => {
      rows.value = page.items;
      cursor.value = page.nextCursor;
      moreFailure.value = null;
    },
  );
  const loadMore = async (from: string) => {
    const answer = await read(from);
    if (latest.current !== key || cursor.peek() !== from) return;
    moreFailure.value = answer.ok ? null : answer.failure;
    if (!answer.ok) return;
    rows.value = [...rows.peek(), ...answer.body.items];
    cursor.value = answer.body.nextCursor;
  };
  const from = cursor.value;
  const isRead = query.state.value.data !== null;
  return {
    rows: isRead ? rows.value : [],
    query,
    loadMore: isRead && from !== null ? () => void loadMore(from) : null,
    moreFailure: moreFailure.value,
  };
}

const CALM_MS = 500;

/** Reads again, at most twice a second, when the stream tells of something that a list is made of. */
export function useReloadOn(reload: () => void, concerns: (batch: Batch) => boolean): void {
  const app = useApp();
  const latest = useRef({ reload, concerns });
  latest.current = { reload, concerns };
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = app.onBatch((batch) => {
      if (timer !== undefined || !latest.current.concerns(batch)) return;
      timer = setTimeout(() => {
        timer = undefined;
        latest.current.reload();
      }, CALM_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [app]);
}
