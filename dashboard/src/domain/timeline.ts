import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";

/*
 * A task's time, cut into spans from its ledger: queued (hollow), waiting for a person (hatched), one span an attempt (solid),
 * and the pause between attempts. Instants are the database's, so two spans never overlap and the last one ends "now" while the
 * task has not ended.
 */

export type SpanKind = "queued" | "attempt" | "backoff" | "approval" | "input";
export type Outcome = "running" | "completed" | "failed" | "canceled" | "waiting" | "lost" | null;
export type Mark = { atMs: number; kind: string; text: string };
export type Span = {
  kind: SpanKind;
  label: string;
  fromMs: number;
  /** null while it goes on */
  toMs: number | null;
  outcome: Outcome;
  note: string | null;
  marks: Mark[];
  eventId: string;
};

const opens: Partial<Record<TaskEvent["kind"], SpanKind>> = {
  created: "queued",
  started: "attempt",
  retry_scheduled: "backoff",
  approval_requested: "approval",
  input_requested: "input",
  approved: "queued",
  input_received: "queued",
};

const outcomes: Partial<Record<TaskEvent["kind"], Outcome>> = {
  completed: "completed",
  failed: "failed",
  canceled: "canceled",
  rejected: "canceled",
  retry_scheduled: "failed",
  lease_expired: "lost",
  approval_requested: "waiting",
  input_requested: "waiting",
};

const labels: Record<SpanKind, string> = {
  queued: "queued",
  attempt: "attempt",
  backoff: "back-off",
  approval: "waiting for approval",
  input: "waiting for input",
};

type Draft = { spans: Span[]; open: Span | null; attempts: number };

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** The words an event carries for a person, wherever its kind puts them. */
export function noteOf(event: TaskEvent): string | null {
  const { data } = event;
  const error = data.error;
  const inner = typeof error === "object" && error !== null ? (error as Record<string, unknown>).message : error;
  return textOf(inner) ?? textOf(data.message) ?? textOf(data.reason) ?? textOf(data.note) ?? textOf(data.prompt);
}

function closeSpan(draft: Draft, event: TaskEvent): void {
  if (!draft.open) return;
  draft.open.toMs = Date.parse(event.at);
  if (draft.open.kind !== "attempt") draft.open.outcome = null;
  else draft.open.outcome = outcomes[event.kind] ?? "completed";
  draft.open.note ??= draft.open.kind === "attempt" ? noteOf(event) : null;
  draft.open = null;
}

function openSpan(draft: Draft, event: TaskEvent, kind: SpanKind): void {
  const attempt = typeof event.data.attempt === "number" ? event.data.attempt : draft.attempts + 1;
  if (kind === "attempt") draft.attempts = attempt;
  const label = kind === "attempt" ? `attempt ${attempt}` : labels[kind];
  const outcome = kind === "attempt" ? "running" : null;
  const span: Span = {
    kind,
    label,
    fromMs: Date.parse(event.at),
    toMs: null,
    outcome,
    note: null,
    marks: [],
    eventId: event.id,
  };
  draft.spans.push(span);
  draft.open = span;
}

/** A change by hand can move a task to any state its rules allow, so its kind of span follows from the status it set. */
function kindOfPatch(event: TaskEvent): SpanKind | "ended" | null {
  const changes = event.data.changes as Record<string, { to?: unknown }> | undefined;
  const to = changes?.status?.to;
  if (to === "queued") return "queued";
  if (to === "waiting") return changes?.waitingFor?.to === "input" ? "input" : "approval";
  return to === undefined ? null : "ended";
}

function applyEvent(draft: Draft, event: TaskEvent): void {
  if (event.kind === "patched") {
    const kind = kindOfPatch(event);
    if (kind === null) addMark(draft, event);
    else closeSpan(draft, event);
    if (kind !== null && kind !== "ended") openSpan(draft, event, kind);
    return;
  }
  const kind = opens[event.kind];
  if (!kind && !outcomes[event.kind]) {
    addMark(draft, event);
    return;
  }
  // `created` of a task that needs approval at once is followed by the request: an empty queued span would be noise.
  if (event.kind === "approval_requested" && draft.open?.fromMs === Date.parse(event.at)) draft.spans.pop();
  closeSpan(draft, event);
  if (kind) openSpan(draft, event, kind);
}

function addMark(draft: Draft, event: TaskEvent): void {
  draft.open?.marks.push({
    atMs: Date.parse(event.at),
    kind: event.kind,
    text: noteOf(event) ?? event.kind.replaceAll("_", " "),
  });
}

/** The spans of a task's life, in order; events must be oldest first. */
export function toSpans(events: readonly TaskEvent[], task: Pick<Task, "finishedAt">): Span[] {
  const draft: Draft = { spans: [], open: null, attempts: 0 };
  for (const event of events) applyEvent(draft, event);
  if (draft.open && task.finishedAt) draft.open.toMs = Date.parse(task.finishedAt);
  return draft.spans;
}

export type Scale = {
  toFraction: (atMs: number) => number;
  breaks: { fraction: number; skippedMs: number }[];
  totalMs: number;
};

const IDLE_MS = 60_000;

type Piece = { fromMs: number; toMs: number; width: number; skippedMs: number };

/** What an idle stretch is drawn as: a tenth of the busy time, so that a run of 2 s beside a wait of 3 h is still seen. */
function toPieces(spans: readonly Span[], nowMs: number): Piece[] {
  const pieces = spans.map((span) => ({
    fromMs: span.fromMs,
    toMs: span.toMs ?? nowMs,
    idle: span.kind !== "attempt",
  }));
  const busyMs = pieces.reduce((sum, piece) => sum + (isLong(piece) ? 0 : piece.toMs - piece.fromMs), 0);
  const idleWidth = Math.max(busyMs * 0.25, 1000);
  return pieces.map((piece) => {
    const lengthMs = Math.max(0, piece.toMs - piece.fromMs);
    const long = isLong(piece) && busyMs > 0;
    return {
      fromMs: piece.fromMs,
      toMs: piece.toMs,
      width: long ? idleWidth : lengthMs,
      skippedMs: long ? lengthMs : 0,
    };
  });
}

function isLong(piece: { fromMs: number; toMs: number; idle: boolean }): boolean {
  return piece.idle && piece.toMs - piece.fromMs > IDLE_MS;
}

/** Maps instants to 0..1 over all spans, idle stretches of more than 60 s compressed and named in `breaks`. */
export function toScale(spans: readonly Span[], nowMs: number): Scale {
  const pieces = toPieces(spans, nowMs);
  const width = pieces.reduce((sum, piece) => sum + piece.width, 0) || 1;
  let before = 0;
  const starts = pieces.map((piece) => {
    const start = before;
    before += piece.width;
    return start;
  });
  const toFraction = (atMs: number) => {
    const index = Math.max(
      0,
      pieces.findLastIndex((piece) => piece.fromMs <= atMs),
    );
    const piece = pieces[index];
    if (!piece) return 0;
    const lengthMs = piece.toMs - piece.fromMs || 1;
    const inside = Math.min(1, Math.max(0, (atMs - piece.fromMs) / lengthMs));
    return ((starts[index] ?? 0) + inside * piece.width) / width;
  };
  const breaks = pieces.flatMap((piece, index) =>
    piece.skippedMs === 0
      ? []
      : [{ fraction: ((starts[index] ?? 0) + piece.width / 2) / width, skippedMs: piece.skippedMs }],
  );
  const first = pieces[0];
  const last = pieces[pieces.length - 1];
  return { toFraction, breaks, totalMs: first && last ? Math.max(0, last.toMs - first.fromMs) : 0 };
}
