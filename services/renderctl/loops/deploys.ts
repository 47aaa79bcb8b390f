import { AgentError, type RunContext, type RunOutcome } from "@signalbox/common/agent-run.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { RenderWrite } from "../clients/render.ts";
import { findAsked, findRollbackTarget, hasEnded, stageOf } from "../deploy-status.ts";
import { RenderError } from "../render-error.ts";
import type { Deploy } from "../render-shapes.ts";
import { toShownDeploy } from "../render-views.ts";
import { asTask, openTask, type RenderTask, type Tools } from "./render-task.ts";

/*
 * Deploys and rollbacks, from the wish to the end.
 *
 *   intent    the newest deploy of the service is noted before Render is asked
 *   asked     Render's answer is noted; whoever waits for the id of the deploy reads it there
 *   followed  until Render says how it ended; each change is progress of the task
 *
 * A process that dies in between costs nothing: the next attempt finds the intent. With its answer it follows that deploy;
 * without, it looks for a deploy newer than the one noted, and asks anew only if there is none.
 */

export type DeployWish = { serviceId: string; clearCache?: boolean; commitId?: string };

type Asked = { deploy: Deploy; wish: { serviceId: string } };

export async function runDeploy(tools: Tools, context: RunContext<DeployWish>): Promise<RunOutcome> {
  const { serviceId, clearCache, commitId } = context.payload;
  return await askAndFollow(tools, context, "api", (task) =>
    task.api.deploys.create(serviceId, {
      ...(clearCache !== undefined && { clearCache: clearCache ? "clear" : "do_not_clear" }),
      ...(commitId !== undefined && { commitId }),
    }),
  );
}

export type RollbackWish = { serviceId: string; deployId?: string };

export async function runRollback(tools: Tools, context: RunContext<RollbackWish>): Promise<RunOutcome> {
  const { serviceId, deployId } = context.payload;
  return await askAndFollow(tools, context, "rollback", async ({ api }) => {
    const { items } = await api.deploys.page(serviceId, { limit: 100 });
    const target = deployId === undefined ? findRollbackTarget(items) : await api.deploys.get(serviceId, deployId);
    if (!target || !["deactivated", "live"].includes(target.status)) throw noTarget(serviceId, target);
    return await api.deploys.rollback(serviceId, target.id);
  });
}

function noTarget(serviceId: string, target: Deploy | null): AgentError {
  const why = target ? `deploy ${target.id} ${stageOf(target.status).saying}` : "no earlier deploy of it was live";
  return new AgentError(`There is nothing to roll ${serviceId} back to: ${why}.`, { code: "no_rollback_target" });
}

type Ask = (task: RenderTask) => Promise<Deploy | null>;
type AskedFor = {
  serviceId: string;
  trigger: "api" | "rollback";
  ask: Ask;
  /** what else came of the task, to be told with the deploy */
  also?: Record<string, unknown>;
};

async function askAndFollow(
  tools: Tools,
  context: RunContext<{ serviceId: string }>,
  trigger: "api" | "rollback",
  ask: Ask,
): Promise<RunOutcome> {
  const task = await openTask(tools, context);
  const { serviceId } = context.payload;
  return await deployAndFollow(tools, context, task, { serviceId, trigger, ask });
}

export async function deployAndFollow(
  tools: Tools,
  context: RunContext,
  task: RenderTask,
  wanted: AskedFor,
): Promise<RunOutcome> {
  const { serviceId } = wanted;
  const { deploy, also } = await asTask(() => ensureDeploy(tools, task, wanted));
  await keep(tools, context, { deploy, wish: { serviceId } });
  context.signal.addEventListener("abort", () => void cancelWithTask(tools, context, { serviceId, deploy }), {
    once: true,
  });
  return context.defer(() => asTask(() => follow(tools, context, { task, serviceId, deploy, also })));
}

const cancelBudgetMs = 15_000;

/** The run was given up. If that is because a person canceled the task, what it has begun is to end as well. */
async function cancelWithTask(
  tools: Tools,
  context: RunContext,
  { serviceId, deploy }: Pick<Followed, "serviceId" | "deploy">,
): Promise<void> {
  const signal = AbortSignal.timeout(cancelBudgetMs);
  const taskId = context.taskId ?? "";
  try {
    const task = await tools.tasks.find(taskId, signal);
    if (task?.status !== "canceled") return;
    const onWrite = (write: RenderWrite) => tools.tasks.note(taskId, { system: "render", ...write }, signal);
    const { deploys } = tools.client.during({ signal, onWrite });
    if (!hasEnded(await deploys.get(serviceId, deploy.id))) await deploys.cancel(serviceId, deploy.id);
  } catch (error) {
    context.log.warn({ err: error, deployId: deploy.id }, "the task was canceled, and its deploy may still go on");
  }
}

/** The deploy of this task, asked for once however often its process dies. */
async function ensureDeploy(
  { store }: Tools,
  task: RenderTask,
  { serviceId, trigger, ask, also = {} }: AskedFor,
): Promise<{ deploy: Deploy; also: Record<string, unknown> }> {
  const { id, round, api } = task;
  const newest = async () => (await api.deploys.page(serviceId, { limit: 20 })).items;
  const seenDeployId = (await newest())[0]?.id ?? null;
  const intent = await store.ensureIntent({ taskId: id, round, serviceId, seenDeployId });
  const known = intent.result?.deployId;
  if (typeof known === "string") {
    // What the attempt that asked has done besides is no news to this one, and still the task's result.
    const before = (intent.result?.also ?? also) as Record<string, unknown>;
    return { deploy: await api.deploys.get(serviceId, known), also: before };
  }
  const found = intent.isNew ? null : findAsked(await newest(), intent.seenDeployId, trigger);
  // Queued deploys come without an answer: theirs is the newest that was not there before.
  const made = found ?? (await ask(task)) ?? findAsked(await newest(), intent.seenDeployId, trigger);
  if (!made)
    throw new AgentError("Render queued a deploy and does not list it yet.", { code: "unavailable", retryable: true });
  await store.fulfilIntent({ taskId: id, round }, { deployId: made.id, deploy: { ...made }, also });
  return { deploy: made, also };
}

async function keep({ store }: Tools, { taskId, trace }: RunContext, { deploy, wish }: Asked): Promise<void> {
  await store.keepDeploy(deploy, { serviceId: wish.serviceId, taskId, traceId: trace.traceId });
}

/** Longer than any build that Render allows. */
const mostFollowMs = 3 * 3_600_000;

/** Looks between two reports without news: a run that says nothing for its time-out counts as lost. */
const looksUnsaid = 4;

type Followed = { task: RenderTask; serviceId: string; deploy: Deploy; also: Record<string, unknown> };

async function follow(tools: Tools, context: RunContext, followed: Followed): Promise<unknown> {
  const { task, serviceId, deploy } = followed;
  const { signal } = context;
  const startedAt = performance.now();
  let now = deploy;
  let saidAt = Number.NEGATIVE_INFINITY;
  for (let said = ""; !hasEnded(now); now = await look(task, serviceId, now)) {
    if (now.status !== said || performance.now() - saidAt > looksUnsaid * tools.pollMs) {
      const { saying, percent } = stageOf(now.status);
      await context.progress(`Deploy ${now.id} ${saying}`, percent);
      said = now.status;
      saidAt = performance.now();
    }
    if (performance.now() - startedAt > mostFollowMs)
      throw new AgentError(`Deploy ${now.id} does not end.`, { code: "deploy_endless" });
    await rest(tools.pollMs, signal);
    signal.throwIfAborted();
  }
  await keep(tools, context, { deploy: now, wish: { serviceId } });
  return await toResult({ ...followed, deploy: now });
}

/** A look that fails for now is no reason to give a deploy up. */
async function look({ api }: RenderTask, serviceId: string, before: Deploy): Promise<Deploy> {
  try {
    return await api.deploys.get(serviceId, before.id);
  } catch (error) {
    if (error instanceof RenderError && error.retryable) return before;
    throw error;
  }
}

/** @throws AgentError when it ended badly; nothing is tried again by itself then */
async function toResult({ task: { api }, serviceId, deploy, also }: Followed): Promise<unknown> {
  const { saying, end } = stageOf(deploy.status);
  const shown = toShownDeploy(deploy);
  if (end === "good") {
    const { autoDeploy, serviceDetails } = await api.services.get(serviceId);
    const willUndo = deploy.trigger === "rollback" && autoDeploy === "yes";
    return {
      serviceId,
      ...also,
      deploy: shown,
      url: serviceDetails?.url ?? null,
      ...(willUndo && { note: "Auto-deploy is on: the next push to its branch will undo this rollback." }),
    };
  }
  throw new AgentError(`Deploy ${deploy.id} of ${serviceId} ${saying}.`, {
    code: deploy.status,
    details: { serviceId, ...also, deploy: shown },
  });
}

export type CancelWish = { serviceId: string; deployId: string };

/** One that has ended meanwhile is no error: nothing is left to cancel. */
export async function runCancel(tools: Tools, context: RunContext<CancelWish>): Promise<RunOutcome> {
  const { serviceId, deployId } = context.payload;
  const { api } = await openTask(tools, context);
  return await asTask(async () => {
    const before = await api.deploys.get(serviceId, deployId);
    if (hasEnded(before)) return { result: { serviceId, deploy: toShownDeploy(before), canceled: false } };
    const deploy = await api.deploys.cancel(serviceId, deployId);
    await keep(tools, context, { deploy, wish: { serviceId } });
    return { result: { serviceId, deploy: toShownDeploy(deploy), canceled: true } };
  });
}
