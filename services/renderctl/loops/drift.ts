import { createHash } from "node:crypto";
import { ApiError } from "@signalbox/common/errors.ts";
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { newTrace } from "@signalbox/common/trace.ts";
import { canonical } from "../blueprint.ts";
import { findDrifts } from "../blueprint-drift.ts";
import type { TaskClient } from "../clients/orchestrator.ts";
import type { BlueprintStore } from "../store/blueprints.ts";
import type { KnownDrift } from "../store/drifts.ts";
import { toTask } from "./apply-tending.ts";
import type { Draft, Planner } from "./planner.ts";

/*
 * Compares Render with the blueprint from time to time, and proposes an apply where one would help: one task for one state of
 * things, which waits for a person. In an account that no apply has touched yet nothing is proposed.
 */

export type DriftWatch = ReturnType<typeof buildDriftWatch>;

export type DriftOptions = {
  planner: Planner;
  store: BlueprintStore;
  tasks: TaskClient;
  log: () => Log;
  /** 0: only when somebody asks */
  everyMinutes: number;
};

/** People are asked today and answer next week. */
const keepPlanSeconds = 14 * 86_400;
const shownAtMost = 5;

export function buildDriftWatch({ planner, store, tasks, log, everyMinutes }: DriftOptions) {
  async function look(signal: AbortSignal): Promise<{ draft: Draft; drifts: KnownDrift[] }> {
    const draft = await planner.draft({ prune: false }, signal);
    return { draft, drifts: await store.syncDrifts(draft.account, findDrifts(draft.scene, draft.plan.orphans)) };
  }

  /** Null when another process has proposed the same in this moment. */
  async function propose(planId: string, { reason, key }: { reason: string; key: string }, signal: AbortSignal) {
    const wanted = { ...toTask(planId), approval: { required: true as const, reason } };
    try {
      return await tasks.create(wanted, { onBehalfOf: null, trace: newTrace(), idempotencyKey: key }, signal);
    } catch (error) {
      if (error instanceof ApiError && error.code === "idempotency_conflict") return null;
      throw error;
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    const { draft, drifts } = await look(signal);
    const isTouched = (await store.listManaged(draft.account)).length > 0;
    if (!isTouched || draft.plan.steps.length === 0 || drifts.every(({ taskId }) => taskId !== null)) return;
    if (await store.findRunning(draft.account)) return;
    const plan = await planner.keep(draft, "service:renderctl", keepPlanSeconds);
    const where = drifts.slice(0, shownAtMost).map(({ resource, field }) => `${resource} ${field}`.trim());
    const reason = `Render differs from the blueprint: ${where.join(", ")}${drifts.length > shownAtMost ? " and more" : ""}`;
    const task = await propose(plan.id, { reason, key: keyOf(draft, drifts) }, signal);
    if (task === null) return;
    await store.bindDrifts(draft.account, task.id);
    log().warn(
      { taskId: task.id, drifts: drifts.length },
      "Render differs from the blueprint; an apply waits for approval",
    );
  }

  return {
    list: async (signal: AbortSignal): Promise<KnownDrift[]> => (await look(signal)).drifts,
    watch,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted && everyMinutes > 0) {
        await rest(everyMinutes * 60_000 * (0.9 + 0.2 * Math.random()), signal);
        if (signal.aborted) return;
        await watch(signal).catch((err: unknown) => {
          if (!signal.aborted)
            log().warn({ err }, "Render could not be compared with the blueprint; this will be tried again");
        });
      }
    },
  };
}

/** The same for every process that sees this state of things, and another one when it comes back later. */
function keyOf({ seen }: Draft, drifts: readonly KnownDrift[]): string {
  const since = Math.max(...drifts.map((drift) => drift.since.getTime()));
  return `drift:${since}:${createHash("sha256").update(canonical(seen)).digest("hex").slice(0, 40)}`;
}
