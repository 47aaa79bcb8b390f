import { AgentError, type RunContext, type RunOutcome } from "@signalbox/common/agent-run.ts";
import { rest } from "@signalbox/common/tail.ts";
import { classify } from "../build-log.ts";
import type { Notice } from "../clients/orchestrator.ts";
import { findAsked, hasEnded, stageOf } from "../deploy-status.ts";
import type { Deploy, Service, ServicePatch } from "../render-shapes.ts";
import { type Fix, settingsOf } from "../repair-fix.ts";
import { judgeOutcome } from "../repair-judge.ts";
import type { Repair, RepairStore } from "../store/repairs.ts";
import { readBuild } from "./build-report.ts";
import { asTask, openTask, type RenderTask, type Tools } from "./render-task.ts";

/*
 * One repair, from the row that the monitor wrote to its end. The row holds the old values before anything is sent.
 *
 *   found       nothing was sent; if anything has changed since the monitor looked, it yields
 *   patching    the settings are being changed; what is changed already is not sent again
 *   deploying   its deploy is followed; of several attempts only the first asks for one
 *   fixed | reverted | yielded | reported
 */

export type RepairTools = { tools: Tools; repairs: RepairStore; isMonitored(service: Service): boolean };

export async function runRepair(kit: RepairTools, context: RunContext<{ repairId: string }>): Promise<RunOutcome> {
  const task = await openTask(kit.tools, context);
  const repair = await kit.repairs.find(context.payload.repairId);
  if (!repair) throw new AgentError("There is no such repair.", { code: "not_found" });
  if (!["found", "patching", "deploying"].includes(repair.state)) return { result: toResult(repair) };
  return context.defer(() => asTask(() => carryOut(kit, context, { task, repair })));
}

type Work = { task: RenderTask; repair: Repair };

async function carryOut(kit: RepairTools, context: RunContext, { task, repair }: Work): Promise<unknown> {
  const { api } = task;
  const { repairs } = kit;
  const why = repair.state === "found" ? await whyNot(kit, task, repair) : null;
  if (why !== null) {
    await repairs.change(repair.id, { state: "yielded", detail: why });
    return { repairId: repair.id, state: "yielded", detail: why };
  }
  if (repair.state === "found") await repairs.change(repair.id, { state: "patching", deployBefore: repair.deployId });
  await setTo(task, repair.serviceId, repair.fixAfter ?? {});
  const deploy = await ensureDeploy(task, repair);
  await repairs.change(repair.id, { state: "deploying", repairDeployId: deploy.id });
  const ended = await follow(kit, context, { task, repair, deploy });
  const service = await api.services.get(repair.serviceId);
  const after = hasFailed(ended) ? classify(await readBuild(api, service, ended)).cause : "none";
  return await conclude(kit, { task, repair }, { status: ended.status, cause: after });
}

const hasFailed = ({ status }: Deploy) => status === "build_failed";

/** Whatever happened since the monitor looked, somebody else is at work. */
async function whyNot({ isMonitored }: RepairTools, { api }: RenderTask, repair: Repair): Promise<string | null> {
  const service = await api.services.get(repair.serviceId);
  if (!isMonitored(service)) return "its owner does not consent to repairs any more";
  if (service.suspended === "suspended") return "it was suspended";
  const [newest] = (await api.deploys.page(service.id, { limit: 1 })).items;
  if (newest?.id !== repair.deployId) return "somebody else has deployed it since";
  return isSet(service, repair.fixBefore ?? {}) ? null : "its settings were changed since";
}

function isSet(service: Service, fix: Fix): boolean {
  const live = settingsOf(service);
  return (Object.entries(fix) as [keyof Fix, string][]).every(([field, value]) => live[field] === value);
}

async function setTo({ api }: RenderTask, serviceId: string, fix: Fix): Promise<void> {
  if (isSet(await api.services.get(serviceId), fix)) return;
  const { rootDir, buildCommand, publishPath } = fix;
  const details = {
    ...(buildCommand !== undefined && { buildCommand }),
    ...(publishPath !== undefined && { publishPath }),
  };
  const patch: ServicePatch = {
    ...(rootDir !== undefined && { rootDir }),
    ...(Object.keys(details).length > 0 && { serviceDetails: details }),
  };
  await api.services.update(serviceId, patch);
}

async function ensureDeploy({ api }: RenderTask, { serviceId, deployId }: Repair): Promise<Deploy> {
  const newest = async () => findAsked((await api.deploys.page(serviceId, { limit: 20 })).items, deployId, "api");
  const made = (await newest()) ?? (await api.deploys.create(serviceId, { clearCache: "clear" })) ?? (await newest());
  if (made) return made;
  throw new AgentError("Render queued a deploy and does not list it yet.", { code: "unavailable", retryable: true });
}

const sayEveryMs = 8_000;

async function follow(
  { tools }: RepairTools,
  context: RunContext,
  { task, repair, deploy }: Work & { deploy: Deploy },
): Promise<Deploy> {
  let now = deploy;
  let saidAt = Number.NEGATIVE_INFINITY;
  while (!hasEnded(now)) {
    if (performance.now() - saidAt > sayEveryMs) {
      await context.progress(`Deploy ${now.id} ${stageOf(now.status).saying}`, stageOf(now.status).percent);
      saidAt = performance.now();
    }
    await rest(tools.pollMs, context.signal);
    context.signal.throwIfAborted();
    now = await task.api.deploys.get(repair.serviceId, deploy.id);
  }
  return now;
}

async function conclude(
  { repairs, tools }: RepairTools,
  { task, repair }: Work,
  after: Parameters<typeof judgeOutcome>[1],
): Promise<unknown> {
  const { id: repairId, fixAfter, fixBefore } = repair;
  const outcome = judgeOutcome(repair.cause, after);
  if (outcome.kind === "fixed") {
    await tools.tasks.tell(toNews(task, repair), task.signal);
    await repairs.change(repairId, { state: "fixed", detail: "the build succeeds with it" });
    return { repairId, state: "fixed", fix: fixAfter };
  }
  if (outcome.kind === "revert") {
    await setTo(task, repair.serviceId, fixBefore ?? {});
    await repairs.change(repairId, {
      state: "reverted",
      detail: "the build fails as before, so the old settings are back",
    });
    return { repairId, state: "reverted", fix: fixAfter };
  }
  const detail = `the settings stay; the deploy now ends ${after.status} for another reason: ${after.cause}`;
  await repairs.change(repairId, { state: "reported", detail });
  return { repairId, state: "reported", fix: fixAfter, detail };
}

function toNews(task: RenderTask, { id, serviceId, serviceName, deployId, cause, fixAfter }: Repair): Notice {
  const fix = Object.entries(fixAfter ?? {}).map(([field, value]) => `${field} is now ${JSON.stringify(value)}`);
  return {
    text: `The build of ${serviceName} failed (${cause}) and was repaired: ${fix.join(", ")}.`,
    severity: "info",
    kind: "deploy.repaired",
    dedupeKey: `deploy-repaired:${id}`,
    incident: `deploy:${serviceId}:${deployId}`,
    taskId: task.id,
  };
}

function toResult({ id, state, fixAfter, detail }: Repair) {
  return { repairId: id, state, fix: fixAfter, detail };
}
