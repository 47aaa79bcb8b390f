import { AgentError, type RunContext, type RunOutcome } from "@signalbox/common/agent-run.ts";
import { RenderError } from "../render-error.ts";
import type { Service } from "../render-shapes.ts";
import { type ServiceWish, toNewService, withDefaults } from "../service-request.ts";
import { asTask, openTask, type RenderTask, type Tools } from "./render-task.ts";

export type NewServiceWish = ServiceWish & { ownerId?: string };

type Made = { service: Service; deployId: string | null };

/** Makes a service once: a later attempt finds what an earlier one has made, and a stranger's namesake is an error. */
export async function runNewService(tools: Tools, context: RunContext<NewServiceWish>): Promise<RunOutcome> {
  const { ownerId: named, ...given } = context.payload;
  const wish = withDefaults(given, tools.repository);
  const task = await openTask(tools, context);
  return await asTask(async () => {
    const ownerId = await tools.workspace.ownerId(task.api, named);
    const { service, deployId } = await ensureService(tools, task, { wish, ownerId });
    if (deployId !== null) {
      const about = { serviceId: service.id, taskId: task.id, traceId: context.trace.traceId };
      await tools.store.keepDeploy(await task.api.deploys.get(service.id, deployId), about);
    }
    return { result: toShown(service, deployId) };
  });
}

type Wanted = { wish: ServiceWish; ownerId: string };

async function ensureService({ store }: Tools, task: RenderTask, { wish, ownerId }: Wanted): Promise<Made> {
  const { api, id: taskId, round } = task;
  const before = await findNamesake(task, { wish, ownerId });
  // Before there is an intent nothing was asked for, so what is there is somebody else's.
  const begun = await store.findIntent(taskId, round);
  if (before && !begun) throw alreadyExists(before);
  const intent = await store.ensureIntent({ taskId, round, serviceId: null, seenDeployId: null });
  if (before)
    return { service: before, deployId: (await api.deploys.page(before.id, { limit: 1 })).items[0]?.id ?? null };
  const made = await create(task, { wish, ownerId });
  const result = { serviceId: made.service.id, deployId: made.deployId };
  await store.fulfilIntent({ taskId, round: intent.round }, result);
  return made;
}

async function create(task: RenderTask, { wish, ownerId }: Wanted): Promise<Made> {
  try {
    return await task.api.services.create(toNewService(wish, ownerId));
  } catch (error) {
    if (!(error instanceof RenderError) || error.status !== 409) throw error;
    const namesake = await findNamesake(task, { wish, ownerId });
    throw namesake ? alreadyExists(namesake) : error;
  }
}

async function findNamesake({ api }: RenderTask, { wish, ownerId }: Wanted): Promise<Service | undefined> {
  const { name, type } = wish;
  const found = await api.services.list({ name, type, ownerId });
  return found.find((one) => one.name === name && one.type === type);
}

function alreadyExists({ id, name, type }: Service): AgentError {
  return new AgentError(`There is a ${type} called ${name} already: ${id}. Change that one, or choose another name.`, {
    code: "already_exists",
    details: { id, name, type },
  });
}

function toShown(
  { id, name, type, ownerId, suspended, dashboardUrl, serviceDetails }: Service,
  deployId: string | null,
) {
  const url = serviceDetails?.url ?? null;
  return {
    id,
    name,
    type,
    ownerId,
    url,
    dashboardUrl: dashboardUrl ?? null,
    suspended: suspended === "suspended",
    deployId,
  };
}
