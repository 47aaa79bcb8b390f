import type { RunContext, RunOutcome } from "@signalbox/common/agent-run.ts";
import { planMerge } from "../env-merge.ts";
import { deployAndFollow } from "./deploys.ts";
import { asTask, openTask, type Tools } from "./render-task.ts";

export type EnvWish = { serviceId: string; env: Record<string, string>; clear?: boolean; deploy?: boolean };

/**
 * Sets the named variables and nothing else, each by a request of its own: the one request that replaces all would undo
 * whatever somebody else sets in the same moment, so it is only made to clear. Done again it comes to the same.
 */
export async function runEnv(tools: Tools, context: RunContext<EnvWish>): Promise<RunOutcome> {
  const { serviceId, env, clear = false, deploy = false } = context.payload;
  const task = await openTask(tools, context);
  return await asTask(async () => {
    const { api } = task;
    const merge = planMerge(await api.env.list(serviceId), env, clear);
    if (merge.removed.length > 0) {
      await api.env.replaceAll(
        serviceId,
        Object.entries(env).map(([key, value]) => ({ key, value })),
      );
    } else {
      for (const [index, key] of merge.set.entries()) {
        if (index % 10 === 9) await context.progress(`${index} of ${merge.set.length} variables are set`);
        await api.env.set(serviceId, key, { value: env[key] ?? "" });
      }
    }
    if (!deploy) return { result: { serviceId, ...merge } };
    // A service sees its values after a deploy, so the task is over when that is.
    const ask = () => api.deploys.create(serviceId);
    return await deployAndFollow(tools, context, task, { serviceId, trigger: "api", ask, also: merge });
  });
}
