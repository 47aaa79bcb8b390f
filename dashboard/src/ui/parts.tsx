import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { QueryState } from "../app/query.ts";
import { moves } from "../app/router.ts";
import { formatAge } from "../domain/time.ts";
import type { Failure } from "../net/rest.ts";
import { Glyph } from "./status.tsx";

/** After a move the focus is here, so that a screen reader hears where it is. */
function PageTitle({ children, class: name }: { children: ComponentChildren; class?: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (moves.peek() > 0) heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1} class={name}>
      {children}
    </h1>
  );
}

/** The screen's name and its answer in one line. */
export function PageHead({
  title,
  children,
  actions,
}: {
  title: ComponentChildren;
  children?: ComponentChildren;
  actions?: ComponentChildren;
}) {
  return (
    <header class="page-head">
      <div class="page-title">
        <PageTitle>{title}</PageTitle>
        {children && <p class="page-sub">{children}</p>}
      </div>
      {actions && <div class="actions">{actions}</div>}
    </header>
  );
}

export function Panel({
  title,
  meta,
  children,
  class: name = "",
}: {
  title: string;
  meta?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
}) {
  return (
    <section class={`panel ${name}`} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {meta && <div class="panel-meta">{meta}</div>}
      </header>
      {children}
    </section>
  );
}

export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <div class="skeleton-row" key={index} />
      ))}
    </div>
  );
}

/** The names of a table's columns; one without a name is told to those who cannot see what is in it. */
export function TableHead({ names, hidden }: { names: readonly string[]; hidden?: string }) {
  return (
    <thead>
      <tr>
        {names.map((name) => (
          <th key={name} scope="col">
            {name || <span class="hidden">{hidden}</span>}
          </th>
        ))}
      </tr>
    </thead>
  );
}

type EmptyProps = { title: string; isPage?: boolean; children?: ComponentChildren };

/** An empty place says why it is empty and what to do next; one that is all of the page is its heading too. */
export function Empty({ title, isPage = false, children }: EmptyProps) {
  return (
    <div class="empty">
      {isPage ? <PageTitle class="empty-title">{title}</PageTitle> : <p class="empty-title">{title}</p>}
      {children && <div class="empty-text">{children}</div>}
    </div>
  );
}

export function FailureNote({
  failure,
  onRetry,
  loadedAtMs,
}: {
  failure: Failure;
  onRetry?: () => void;
  loadedAtMs?: number | null;
}) {
  return (
    <div class="note note-failed" role="alert">
      <Glyph lamp="failed" />
      <div class="note-text">
        <p>
          <strong>{failure.message}</strong>{" "}
          {loadedAtMs ? <span>What is shown was read {formatAge(Date.now() - loadedAtMs)} ago.</span> : null}
        </p>
        <p class="note-meta mono">
          {failure.code}
          {failure.traceId ? ` · trace ${failure.traceId}` : ""}
        </p>
      </div>
      {onRetry && (
        <button type="button" class="button" onClick={onRetry}>
          Retry
        </button>
      )}
    </div>
  );
}

/** The states of a read that come before its data: a skeleton once it is slow, the error with a retry. */
export function QueryNote<T>({ query, onRetry, rows }: { query: QueryState<T>; onRetry: () => void; rows?: number }) {
  if (query.failure && query.failure.kind !== "aborted") {
    return <FailureNote failure={query.failure} onRetry={onRetry} loadedAtMs={query.loadedAtMs} />;
  }
  return query.data === null && query.slow ? <Skeleton rows={rows} /> : null;
}

export function Note({ lamp, children }: { lamp: "warn" | "failed" | "waiting" | "ok"; children: ComponentChildren }) {
  return (
    <div class={`note note-${lamp}`} role="status">
      <Glyph lamp={lamp} />
      <div class="note-text">{children}</div>
    </div>
  );
}
