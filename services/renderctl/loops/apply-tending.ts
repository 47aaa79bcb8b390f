import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { newTrace } from "@signalbox/common/trace.ts";
import { endedStatuses, type TaskClient } from "../clients/orchestrator.ts";
import type { Abandoned } from "../store/applies.ts";
import type { BlueprintStore } from "../store/blueprints.ts";

/*
 * Looks after applies that nobody works on. One whose task still runs or waits comes back by itself. One whose task has ended
 * (a person canceled or rejected it) is given up, so that it does not keep others out. One that lost its process before it
 * got a task gets one.
 */

export type TendingOptions = {
  store: BlueprintStore;
  tasks: TaskClient;
  log: () => Log;
  everyMs?: number;
  idleMs?: number;
};

export function buildApplyTending({ store, tasks, log, everyMs = 15_000, idleMs = 20_000 }: TendingOptions) {
  async function tend(one: Abandoned, signal: AbortSignal): Promise<void> {
    if (one.taskId === null) {
      const task = await tasks.create(toTask(one.planId), { ...toWanting(one), trace: newTrace() }, signal);
      await store.bindTask(one.id, task.id);
      return;
    }
    const task = await tasks.find(one.taskId, signal);
    if (task && !endedStatuses.includes(task.status)) return;
    const why = task ? `its task ended ${task.status}` : "its task is gone";
    if (await store.giveUpApply(one.id, `Given up: ${why}. Applying again continues from here.`)) {
      log().info({ applyId: one.id, taskId: one.taskId }, `an apply was given up: ${why}`);
    }
  }

  return {
    async tendAll(signal: AbortSignal): Promise<void> {
      for (const one of await store.listAbandoned(idleMs)) await tend(one, signal);
    },
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await this.tendAll(signal).catch((err: unknown) => {
          if (!signal.aborted) log().warn({ err }, "applies could not be looked after; this will be tried again");
        });
        await rest(everyMs, signal);
      }
    },
  };
}

export function toTask(planId: string) {
  return { type: "render.blueprint.apply", payload: { planId }, source: "renderctl", maxAttempts: 10 };
}

/** A person's call is that person's wish; any other actor is a service, whose tasks wait for approval. */
export function toWanting({ id, actor }: { id: string; actor: string }) {
  return { onBehalfOf: actor.startsWith("service:") ? null : actor, idempotencyKey: `apply:${id}` };
}
