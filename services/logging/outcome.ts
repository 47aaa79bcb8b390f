import type { Outcome, OutcomeFilter, OutcomeInput } from "@signalbox/common/contracts/outcome.ts";

/** An outcome as the table holds it. */
export type NewOutcome = Omit<Outcome, "extra"> & {
  /** JSON text */
  extra: string;
};

export type OutcomeTools = {
  now: string;
  /** Hides secrets in any JSON value. */
  hide(value: unknown): unknown;
  /** A UUID that is the same for the same text. */
  idOf(content: string): string;
};

const named = new Set([
  ...["id", "at", "source", "cycle_id", "sig_hash", "event_kind", "ok", "staffer_id", "turns", "duration_ms", "extra"],
]);

/**
 * An emitter without ids sends the same text again when an answer was lost, and it must be stored once: then the id is made of
 * all that it says. Two cycles that end alike differ by their `cycle_id`.
 */
export function toOutcome(input: OutcomeInput, { now, hide, idOf }: OutcomeTools): NewOutcome {
  const text = (value: string) => String(hide(value));
  return {
    id: input.id?.toLowerCase() ?? idOf(JSON.stringify(sorted(input))),
    at: input.at === undefined ? now : new Date(input.at).toISOString(),
    source: text(input.source),
    cycle_id: text(input.cycle_id),
    sig_hash: text(input.sig_hash),
    event_kind: text(input.event_kind),
    ok: input.ok,
    staffer_id: typeof input.staffer_id === "string" ? text(input.staffer_id) : null,
    turns: typeof input.turns === "number" ? Math.round(input.turns) : null,
    duration_ms: typeof input.duration_ms === "number" ? Math.round(input.duration_ms) : null,
    extra: JSON.stringify(hide(foldExtra(input))),
  };
}

/** `extra` with the members that the contract does not name; one whose name is taken there gets underscores. */
function foldExtra(input: OutcomeInput): Record<string, unknown> {
  const extra: Record<string, unknown> = { ...input.extra };
  for (const [key, value] of Object.entries(input)) {
    if (named.has(key)) continue;
    let free = key;
    while (Object.hasOwn(extra, free)) free += "_";
    extra[free] = value;
  }
  return extra;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => [key, sorted(member)]);
}

/** How tasks stand among the outcomes: who asked is the source, the type is the signature. */
export const taskSources = { task: "task", schedule: "schedule" } as const;
const taskSignature = "task:";

export type TaskOutcomeFilter = { type: string | undefined; isScheduled: boolean | undefined };

export function toTaskSignature(type: string): string {
  return taskSignature + type;
}

/** What the filter asks of tasks; null when no task can fit it. */
export function toTaskFilter({ source, sig_hash: signature }: OutcomeFilter): TaskOutcomeFilter | null {
  if (source !== undefined && source !== taskSources.task && source !== taskSources.schedule) return null;
  if (signature !== undefined && !signature.startsWith(taskSignature)) return null;
  return {
    type: signature?.slice(taskSignature.length),
    isScheduled: source === undefined ? undefined : source === taskSources.schedule,
  };
}

/** Where a list stands in each of its two sources: the number of the last row of each that was shown or passed over. */
export type OutcomePosition = { outcome: number; task: number };

export type Numbered = { seq: number; outcome: Outcome };

/** What one source has below its position, newest first. */
export type Part = {
  rows: readonly Numbered[];
  /** As far as was looked when the rows are fewer than were asked for; null: to its end. */
  scannedTo: number | null;
};

/** One page of both sources by time, and where the next one begins; null at the end of both. */
export function mergeParts(
  parts: { outcome: Part; task: Part },
  limit: number,
  from: OutcomePosition,
): { items: Outcome[]; next: OutcomePosition | null } {
  const items: Outcome[] = [];
  const at = { outcome: 0, task: 0 };
  const position = { ...from };
  const peek = (which: keyof OutcomePosition) => parts[which].rows[at[which]];
  while (items.length < limit) {
    const [outcome, task] = [peek("outcome"), peek("task")];
    const isTask = task !== undefined && (outcome === undefined || task.outcome.at > outcome.outcome.at);
    const [which, next] = isTask ? (["task", task] as const) : (["outcome", outcome] as const);
    if (next === undefined) break;
    items.push(next.outcome);
    at[which]++;
    position[which] = next.seq;
  }
  const over = (["outcome", "task"] as const).map((which) => {
    if (peek(which) !== undefined) return false;
    position[which] = parts[which].scannedTo ?? 0;
    return parts[which].scannedTo === null;
  });
  return { items, next: over.every(Boolean) ? null : position };
}
