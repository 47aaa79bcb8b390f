/** Plays the events of a task as the contract describes them, knowing nothing of how they are written. */
import type { EventRow, Finding, TaskRow } from "./ledger-check.ts";

type Played = { status: string; waitingFor: string | null; attempt: number; priority: number | null };
type Status = "queued" | "running" | "waiting" | "completed" | "failed" | "canceled";

/** From which statuses an event may come, and what it leads to; events that are not here change nothing. */
const moves: Record<string, { from: Status[]; to: Status; waitingFor?: string }> = {
  started: { from: ["queued"], to: "running" },
  progress: { from: ["running"], to: "running" },
  completed: { from: ["running"], to: "completed" },
  // From waiting: an approval that nobody gave in time.
  failed: { from: ["running", "waiting"], to: "failed" },
  retry_scheduled: { from: ["running"], to: "queued" },
  canceled: { from: ["queued", "running", "waiting"], to: "canceled" },
  approval_requested: { from: ["queued", "running"], to: "waiting", waitingFor: "approval" },
  approved: { from: ["waiting"], to: "queued" },
  rejected: { from: ["waiting"], to: "canceled" },
  input_requested: { from: ["running"], to: "waiting", waitingFor: "input" },
  input_received: { from: ["waiting"], to: "queued" },
};

/** What is wrong when the events are played: a move that cannot be, or an end that is not the task. */
export function checkReplay(task: TaskRow, events: readonly EventRow[]): Finding[] {
  const found: Finding[] = [];
  const played: Played = { status: "", waitingFor: null, attempt: 0, priority: null };
  for (const event of events) {
    const wrong = play(played, event);
    if (wrong !== null) found.push(`${task.id}: ${event.kind} (version ${event.version}) ${wrong}`);
  }
  const { status, waiting_for: waitingFor, attempt } = task;
  const told = `${played.status} ${played.waitingFor} ${played.attempt}`;
  if (told !== `${status} ${waitingFor} ${attempt}`)
    found.push(`${task.id}: its events tell ${told}, the task is ${status} ${waitingFor} ${attempt}`);
  if (played.priority !== null && played.priority !== task.priority)
    found.push(`${task.id}: its events tell priority ${played.priority}, the task has ${task.priority}`);
  return found;
}

function play(played: Played, { kind, data }: EventRow): string | null {
  if (kind === "created") return created(played);
  if (kind === "patched") return patched(played, data.changes as Changes);
  const move = moves[kind];
  if (!move) return null;
  const before = played.status;
  played.status = move.to;
  played.waitingFor = move.waitingFor ?? null;
  if (kind === "started") {
    played.attempt++;
    if (data.attempt !== played.attempt) return `is attempt ${data.attempt}, not ${played.attempt}`;
  }
  const isExpected = (move.from as string[]).includes(before);
  return isExpected ? null : `came while the task was ${before}`;
}

function created(played: Played): string | null {
  const isFirst = played.status === "";
  played.status = "queued";
  return isFirst ? null : "came twice";
}

type Changes = Record<string, { from: unknown; to: unknown }>;

function patched(played: Played, changes: Changes): string | null {
  const { status, waitingFor, priority } = changes;
  const before = played.status;
  if (status) played.status = String(status.to);
  if (waitingFor) played.waitingFor = waitingFor.to === null ? null : String(waitingFor.to);
  if (priority) played.priority = Number(priority.to);
  return status && status.from !== before ? `changes ${String(status.from)}, the task was ${before}` : null;
}
