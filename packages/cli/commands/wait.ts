import type { Frame } from "@signalbox/common/contracts/frame.ts";
import type { endedStatuses, Task } from "@signalbox/common/contracts/task.ts";
import { type ExitCode, exitCodes } from "../command.ts";
import type { Remote } from "../remote.ts";
import { plain, type Terminal } from "../terminal.ts";
import { keepFollowing } from "./keep-following.ts";

/** Written out, so that a command does not load the schemas for three words. */
const ended: ReadonlySet<string> = new Set<(typeof endedStatuses)[number]>(["completed", "failed", "canceled"]);

export type Watching = {
  terminal: Terminal;
  signal: AbortSignal;
  /** The version that is known already: what led to it is not told again. */
  known?: number;
};

type Watch = Watching & { since: string | undefined; isWaiting: boolean; onAlive(): void };

/**
 * Follows a task to its end and says what happens meanwhile.
 *
 * @param watching.signal ends the waiting; the task goes on
 * @returns the task as it ended, null when the signal came first
 */
export async function waitForEnd(remote: Remote, id: string, watching: Watching): Promise<Task | null> {
  const watch: Watch = { ...watching, since: undefined, isWaiting: false, onAlive: () => undefined };
  return await keepFollowing(watching, (onAlive) => {
    watch.onAlive = onAlive;
    return followOnce(remote, id, watch);
  });
}

/**
 * The task if it has ended for good. A frame of an end is no proof: the stream begins with the history, and a task that was run
 * again has ended in it before.
 */
async function followOnce(remote: Remote, id: string, watch: Watch): Promise<Task | null> {
  const query = { types: "task", since: watch.since };
  for await (const message of remote.follow(`/tasks/${id}/stream`, { query, signal: watch.signal })) {
    watch.onAlive();
    watch.since = message.id ?? watch.since;
    const frame = JSON.parse(message.data) as Frame;
    if (frame.type !== "task" || frame.task.id !== id) continue;
    tell(frame, watch);
    const now = hasEnded(frame.task) ? await readTask(remote, id) : null;
    if (now !== null && hasEnded(now)) return now;
  }
  const now = await readTask(remote, id);
  return hasEnded(now) ? now : null;
}

function readTask(remote: Remote, id: string): Promise<Task> {
  return remote.call(`/task/${id}`);
}

function tell({ event, task }: Frame & { type: "task" }, watch: Watch): void {
  const { terminal, known = 0 } = watch;
  if (event.version <= known) return;
  if (event.kind === "progress" && task.progress) {
    const percent = task.progress.percent === null ? "" : ` ${Math.round(task.progress.percent)} %`;
    terminal.note(terminal.paint("dim", `${task.type}:${percent} ${plain(task.progress.message)}`));
  }
  if (event.kind === "retry_scheduled")
    terminal.note(terminal.paint("dim", `${task.type}: attempt ${task.attempt} failed, it will be tried again`));
  const isWaiting = task.status === "waiting";
  if (isWaiting && !watch.isWaiting) tellWaiting(task, terminal);
  watch.isWaiting = isWaiting;
}

export function tellWaiting(task: Task, terminal: Terminal): void {
  terminal.note(`${task.type} waits for ${task.waitingFor}: ${toNextStep(task)}`);
}

function toNextStep(task: Task): string {
  const id = task.id;
  return task.waitingFor === "approval"
    ? `signalbox task approve ${id}, or reject`
    : `${plain(task.approval?.prompt ?? "")} (signalbox task input ${id} <answer>)`;
}

export function hasEnded(task: Pick<Task, "status">): boolean {
  return ended.has(task.status);
}

export function exitCodeOf(task: Pick<Task, "status">): ExitCode {
  return task.status === "failed" || task.status === "canceled" ? exitCodes.failed : exitCodes.done;
}
