import { AgentError, type RunContext, type RunOutcome } from "@signalbox/common/agent-run.ts";
import { ApiError } from "@signalbox/common/errors.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { Apply } from "../blueprint-ledger.ts";
import type { BlueprintStore } from "../store/blueprints.ts";
import type { Applies } from "./applies.ts";
import type { Planner } from "./planner.ts";
import { asTask, openTask, type RenderTask, type Tools } from "./render-task.ts";

/*
 * The task `render.blueprint.apply`: what a plan showed is looked at once more, and only then begun. A task that is tried again
 * after a crash finds its apply by its own id and goes on with it; one that a person retries after its end is a new apply.
 */

export type BlueprintTools = { tools: Tools; planner: Planner; applies: Applies; store: BlueprintStore };
export type ApplyWish = { planId?: string };

export async function runBlueprintApply(kit: BlueprintTools, context: RunContext<ApplyWish>): Promise<RunOutcome> {
  const task = await openTask(kit.tools, context);
  const apply = await asRefusal(() => findOrBegin(kit, context, task));
  if (apply === null) return { result: { applyId: null, steps: [] } };
  return context.defer(() => asTask(() => carryOut(kit, context, apply)));
}

/** Null when there is nothing to do. */
async function findOrBegin(
  { store, planner, applies }: BlueprintTools,
  { payload, signal }: RunContext<ApplyWish>,
  { id, round }: RenderTask,
): Promise<Apply | null> {
  const { planId } = payload;
  const begun = (await store.findApplyOfTask(id, round)) ?? (await adopt(store, planId, id));
  if (begun && begun.state !== "requested") return begun;
  if (begun) {
    // It has waited for approval: what was approved must still be what is there.
    await planner.confirm(begun.planId, signal);
    await applies.start(begun);
    return begun;
  }
  const now =
    planId === undefined ? await planner.draft({ prune: false }, signal) : (await planner.confirm(planId, signal)).now;
  const actor = `task:${id}`;
  const plan = planId ?? (await planner.keep(now, actor)).id;
  return await applies.begin(now, { actor, planId: plan, taskId: id, taskRound: round, state: "running" });
}

/** The apply that a direct call has begun before it made this task. */
async function adopt(store: BlueprintStore, planId: string | undefined, taskId: string): Promise<Apply | null> {
  if (planId === undefined) return null;
  const apply = await store.findApplyOfPlan(planId);
  if (!apply || apply.state === "failed" || apply.state === "done") return null;
  return (await store.bindTask(apply.id, taskId)) ? apply : null;
}

/** A task that says nothing for its time-out counts as lost. */
const sayEveryMs = 8_000;

async function carryOut({ applies }: BlueprintTools, context: RunContext, apply: Apply): Promise<unknown> {
  const over = new AbortController();
  let saying = { message: "begins", percent: 0 };
  const beating = beat(context, () => saying, AbortSignal.any([context.signal, over.signal]));
  try {
    const end = await applies.run(apply.id, {
      signal: context.signal,
      async onProgress(message, percent) {
        saying = { message, percent };
        await context.progress(message, percent);
      },
      onWrite: (write, { step }) =>
        context.sideEffect({ system: "render", applyId: apply.id, step: step.id, ...write }),
    });
    return toResult(end);
  } finally {
    over.abort();
    await beating;
  }
}

async function beat(
  context: RunContext,
  saying: () => { message: string; percent: number },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await rest(sayEveryMs, signal);
    if (signal.aborted) return;
    const { message, percent } = saying();
    // A lease that is lost aborts the run's own signal; here there is nothing more to do about it.
    await context.progress(message, percent).catch(() => undefined);
  }
}

/** @throws AgentError when a step did not succeed */
function toResult({ id, state, error, steps }: Apply) {
  const shown = steps.map(({ step, state: stepState, error: stepError }) => ({
    id: step.id,
    state: stepState,
    ...(stepError !== null && { error: stepError }),
  }));
  if (state === "done") return { applyId: id, state, steps: shown };
  const details = { applyId: id, steps: shown.filter((one) => one.state !== "done") };
  throw new AgentError(error ?? "The apply did not succeed.", { code: "apply_failed", details });
}

/** A plan that is stale stays so; another apply ends. */
async function asRefusal<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await asTask(work);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status >= 500) throw error;
    const { code, message, details } = error;
    const isBusy = code === "apply_in_progress";
    throw new AgentError(message, { code, details, retryable: isBusy, retryAfterMs: isBusy ? 15_000 : undefined });
  }
}
