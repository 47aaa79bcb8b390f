import type { Trace } from "@signalbox/common/trace.ts";
import type { Apply } from "../blueprint-ledger.ts";
import type { Chosen } from "../blueprint-narrow.ts";
import type { Plan } from "../blueprint-plan.ts";
import type { TaskClient } from "../clients/orchestrator.ts";
import type { BlueprintStore } from "../store/blueprints.ts";
import type { Applies } from "./applies.ts";
import { toTask, toWanting } from "./apply-tending.ts";
import type { Planner } from "./planner.ts";

/*
 * What is asked about blueprints over HTTP. A plan is made on the spot. An apply is always a task: this begins the apply, so
 * that nobody else begins one meanwhile, and makes the task that carries it out; without a task nothing is done.
 */

export type BlueprintDesk = ReturnType<typeof buildBlueprintDesk>;

export type PlanWish = { path?: string | undefined; prune: boolean; only?: readonly Chosen[] | null };
export type Caller = { actor: string; isPerson: boolean; trace: Trace; signal: AbortSignal };

export function buildBlueprintDesk(kit: {
  planner: Planner;
  applies: Applies;
  store: BlueprintStore;
  tasks: TaskClient;
}) {
  const { planner, applies, store, tasks } = kit;

  async function begin(wish: PlanWish & { planId?: string | undefined }, { actor, isPerson, signal }: Caller) {
    const { planId, ...wanted } = wish;
    const now =
      planId === undefined ? await planner.draft(wanted, signal) : (await planner.confirm(planId, signal)).now;
    if (now.plan.steps.length === 0) return { kind: "nothing" as const, reply: { applyId: null, ...now.plan } };
    await applies.ensureFree(now.account);
    const id = planId ?? (await planner.keep(now, actor)).id;
    const state = isPerson ? "running" : "requested";
    const apply = await applies.begin(now, { actor, planId: id, taskId: null, state });
    if (apply === null) return { kind: "nothing" as const, reply: { applyId: null, ...now.plan } };
    return { kind: "begun" as const, apply };
  }

  return {
    find: (id: string): Promise<Apply | null> => store.findApply(id),

    async plan(wish: PlanWish, actor: string, signal: AbortSignal) {
      const draft = await planner.draft(wish, signal);
      const { id, fingerprint, expiresAt } = await planner.keep(draft, actor);
      return { planId: id, fingerprint, expiresAt: expiresAt.toISOString(), ...draft.plan };
    },

    /** @throws ApiError 409 plan_stale, 409 apply_in_progress, 503 while the orchestrator is away */
    async apply(
      wish: PlanWish & { planId?: string | undefined },
      caller: Caller,
    ): Promise<
      { kind: "nothing"; reply: { applyId: null } & Plan } | { kind: "begun"; applyId: string; taskId: string }
    > {
      const begun = await begin(wish, caller);
      if (begun.kind === "nothing") return begun;
      const { id, planId, actor } = begun.apply;
      try {
        const wanting = { ...toWanting({ id, actor }), trace: caller.trace };
        const task = await tasks.create(toTask(planId), wanting, caller.signal);
        await store.bindTask(id, task.id);
        return { kind: "begun", applyId: id, taskId: task.id };
      } catch (error) {
        await store.giveUpApply(id, "No task could be made for it, and without a task nothing is done.");
        throw error;
      }
    },
  };
}
