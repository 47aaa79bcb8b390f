import { setTimeout as delay } from "node:timers/promises";
import type { Frame } from "@signalbox/common/contracts/frame.ts";
import type { endedStatuses, Task } from "@signalbox/common/contracts/task.ts";
import { CommandError, type ExitCode, exitCodes } from "../command.ts";
import type { Remote } from "../remote.ts";
import { plain, type Terminal } from "../terminal.ts";

/** Written out, so that a command does not load the schemas for three words. */
const ended: ReadonlySet<string> = new Set<(typeof endedStatuses)[number]>(["completed", "failed", "canceled"]);

const reconnectMs = 500;
/** In a row; a fleet that restarts is back within these. */
const maxFailures = 60;

/**
 * Follows a task to its end and says what happens meanwhile.
 *
 * @param signal ends the waiting; the task goes on
 * @returns the task as it ended, null when the signal came first
 */
export async function waitForEnd(remote: Remote, id: string, { terminal, signal }: Watching): Promise<Task | null> {
  const watch = { since: undefined as string | undefined, failures: 0 };
  while (!signal.aborted) {
    const task = await followOnce(remote, id, { terminal, signal, watch }).catch((error: unknown) => {
      if (signal.aborted) return null;
      if (!isPassing(error) || ++watch.failures > maxFailures) throw error;
      return null;
    });
    if (task !== null) return task;
    if (!signal.aborted) await delay(reconnectMs);
  }
  return null;
}

type Watch = { since: string | undefined; failures: number };

/** The task if it ended while the stream lasted. */
async function followOnce(
  remote: Remote,
  id: string,
  { terminal, signal, watch }: Watching & { watch: Watch },
): Promise<Task | null> {
  const query = { types: "task", since: watch.since };
  for await (const message of remote.follow(`/tasks/${id}/stream`, { query, signal })) {
    watch.failures = 0;
    watch.since = message.id ?? watch.since;
    const ended = tell(JSON.parse(message.data) as Frame, id, terminal);
    if (ended !== null) return ended;
  }
  const now = (await remote.call(`/task/${id}`)) as Task;
  return hasEnded(now) ? now : null;
}

export type Watching = { terminal: Terminal; signal: AbortSignal };

/** The task when this frame shows its end. */
function tell(frame: Frame, id: string, terminal: Terminal): Task | null {
  if (frame.type !== "task" || frame.task.id !== id) return null;
  const { event, task } = frame;
  if (event.kind === "progress" && task.progress) {
    const percent = task.progress.percent === null ? "" : ` ${Math.round(task.progress.percent)} %`;
    terminal.note(terminal.paint("dim", `${task.type}:${percent} ${plain(task.progress.message)}`));
  }
  if (event.kind === "retry_scheduled")
    terminal.note(terminal.paint("dim", `${task.type}: attempt ${task.attempt} failed, it will be tried again`));
  if (task.status === "waiting") terminal.note(`${task.type} waits for ${task.waitingFor}: ${toNextStep(task)}`);
  return hasEnded(task) ? task : null;
}

function toNextStep(task: Task): string {
  const id = task.id;
  return task.waitingFor === "approval"
    ? `signalbox task approve ${id}, or reject`
    : `${plain(task.approval?.prompt ?? "")} (signalbox task input ${id} <answer>)`;
}

function isPassing(error: unknown): boolean {
  return error instanceof CommandError && error.exitCode === exitCodes.unreachable;
}

export function hasEnded(task: Pick<Task, "status">): boolean {
  return ended.has(task.status);
}

export function exitCodeOf(task: Pick<Task, "status">): ExitCode {
  return task.status === "failed" || task.status === "canceled" ? exitCodes.failed : exitCodes.done;
}
