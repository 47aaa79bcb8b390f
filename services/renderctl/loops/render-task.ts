import { AgentError, type RunContext } from "@signalbox/common/agent-run.ts";
import type { SeenTask, TaskClient } from "../clients/orchestrator.ts";
import type { RenderApi, RenderClient } from "../clients/render.ts";
import { RenderError } from "../render-error.ts";
import type { DeployStore } from "../store/deploys.ts";
import type { Workspace } from "./workspace.ts";

/*
 * What every task on Render has in common. It is carried out only while the orchestrator says that this attempt of it
 * runs: whoever has the internal key could post a run, and nobody may go around the approval that its task waits for. Each
 * write is in the task's audit before the next step begins.
 */

export type Tools = {
  client: RenderClient;
  tasks: TaskClient;
  store: DeployStore;
  workspace: Workspace;
  /** of what is built and names none; null when none is known */
  repository: string | null;
  /** between two looks at a deploy, in ms */
  pollMs: number;
};

export type RenderTask = {
  id: string;
  /** How often the task has ended before: what a person retries is done anew, not gone on with. */
  round: number;
  api: RenderApi;
  /** aborts with the run */
  signal: AbortSignal;
};

/** A task may wait longer for Render's limits than a person who looks at a screen. */
const patienceMs = 40_000;

/** @throws AgentError when no such attempt runs */
export async function openTask(tools: Tools, context: RunContext): Promise<RenderTask> {
  const { taskId, signal } = context;
  const task = taskId === null ? null : await tools.tasks.find(taskId, signal);
  if (!task || taskId === null || !isRunning(task, context)) {
    throw new AgentError("This is only done as a task, by the attempt that runs; make one with POST /task.", {
      code: "no_such_run",
    });
  }
  const api = tools.client.during({
    signal,
    patienceMs,
    onWrite: (write) => context.sideEffect({ system: "render", ...write }),
  });
  return { id: taskId, round: countEnds(task), api, signal };
}

function isRunning(task: SeenTask, { type, attempt }: RunContext): boolean {
  return task.status === "running" && task.type === type && task.attempt === attempt;
}

function countEnds({ events = [] }: SeenTask): number {
  return events.filter(({ kind }) => kind === "completed" || kind === "failed" || kind === "canceled").length;
}

/** Runs work on Render, whose errors become a task's. */
export async function asTask<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RenderError ? toAgentError(error) : error;
  }
}

function toAgentError(error: RenderError): AgentError {
  const { message, retryable, retryAfterMs, status } = error;
  if (retryable) return new AgentError(message, { code: "unavailable", retryable, retryAfterMs, cause: error });
  const code = status === 404 || status === 410 ? "not_found" : "render_refused";
  return new AgentError(message, { code, cause: error });
}
