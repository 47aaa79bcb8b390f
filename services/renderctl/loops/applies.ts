import { ApiError } from "@signalbox/common/errors.ts";
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { Apply } from "../blueprint-ledger.ts";
import { toFingerprint } from "../blueprint-live.ts";
import type { RenderClient } from "../clients/render.ts";
import type { ApplyLease } from "../store/applies.ts";
import type { BlueprintStore } from "../store/blueprints.ts";
import { type ApplyKit, LeaseLost, type Times, type Watcher, workThrough } from "./apply-run.ts";
import type { Draft, Planner } from "./planner.ts";

/* Begins applies, one at a time in a workspace, and gives the work on each to one holder of its lease. */

export type Applies = ReturnType<typeof buildApplies>;

export type AppliesOptions = {
  client: RenderClient;
  store: BlueprintStore;
  planner: Planner;
  hash(value: string): string;
  /** names this process in the ledger */
  instance: string;
  log: () => Log;
  times?: Partial<Times>;
};

const usualTimes: Times = { leaseMs: 30_000, pollMs: 5_000, readyMs: 900_000, deployMs: 2_700_000, againMs: 2_000 };

export type BeginWish = {
  actor: string;
  planId: string;
  taskId: string | null;
  taskRound?: number;
  /** `requested` does not begin yet: somebody has to approve it */
  state: "requested" | "running";
};

export function buildApplies(options: AppliesOptions) {
  const { store, instance } = options;
  const times = { ...usualTimes, ...options.times };
  const kit = { ...options, times };

  async function busy(account: string): Promise<ApiError> {
    const running = await store.findRunning(account);
    const message = "Another apply is running in this workspace; wait for its end, then plan anew.";
    return new ApiError("apply_in_progress", message, { details: running ? [{ applyId: running.id }] : [] });
  }

  return {
    find: (id: string) => store.findApply(id),

    /** @throws ApiError 409 apply_in_progress */
    async ensureFree(account: string): Promise<void> {
      if (await store.findRunning(account)) throw await busy(account);
    },

    /**
     * Null when there is nothing to do.
     *
     * @throws ApiError 409 apply_in_progress
     */
    async begin(draft: Draft, { actor, planId, taskId, taskRound = 0, state }: BeginWish): Promise<Apply | null> {
      const { account, path, text, prune, plan, seen } = draft;
      if (plan.steps.length === 0) return null;
      const about = { id: uuidv7(), account, planId, taskId, taskRound, actor, state, prune, plan };
      const id = await store.insertApply({
        ...about,
        blueprintPath: path,
        blueprint: text,
        fingerprint: toFingerprint(seen),
      });
      if (id === null) throw await busy(account);
      return await getApply(store, id);
    },

    /** A requested apply begins now. @throws ApiError 409 apply_in_progress */
    async start(apply: Apply): Promise<void> {
      if ((await store.beginApply(apply.id)) === "busy") throw await busy(apply.account);
    },

    /** Works on an apply, or waits for whoever does, until it is over; the apply as it is then. */
    async run(id: string, watcher: Watcher): Promise<Apply> {
      for (;;) {
        watcher.signal.throwIfAborted();
        const lease = await store.leaseApply(id, { id: uuidv7(), owner: instance, forMs: times.leaseMs });
        if (lease) await carryOut(kit, lease, watcher);
        const apply = await getApply(store, id);
        if (apply.state !== "running") return apply;
        await watcher.onProgress?.("another process works on this apply", 50);
        await rest(Math.min(times.pollMs, 1_000), watcher.signal);
      }
    },
  };
}

async function getApply(store: BlueprintStore, id: string): Promise<Apply> {
  const apply = await store.findApply(id);
  if (!apply) throw new Error(`apply ${id} is gone`);
  return apply;
}

async function carryOut(kit: ApplyKit & { planner: Planner }, lease: ApplyLease, watcher: Watcher): Promise<void> {
  const { store, planner, times, log } = kit;
  const over = new AbortController();
  const signal = AbortSignal.any([watcher.signal, over.signal]);
  const keeping = keepLease({ store, times, lease, over, signal });
  try {
    const apply = await getApply(store, lease.applyId);
    const blueprint = planner.parse(apply.blueprint, apply.blueprintPath);
    await workThrough(kit, { lease, apply, blueprint, watcher, signal });
  } catch (error) {
    if (!(error instanceof LeaseLost) && !over.signal.aborted) throw error;
    log().warn({ applyId: lease.applyId }, "an apply was taken over by somebody else");
  } finally {
    over.abort();
    await keeping;
    await store.releaseApply(lease).catch((err: unknown) => log().warn({ err }, "a lease could not be given back"));
  }
}

type Keeping = {
  store: BlueprintStore;
  times: Times;
  lease: ApplyLease;
  over: AbortController;
  signal: AbortSignal;
};

async function keepLease({ store, times, lease, over, signal }: Keeping): Promise<void> {
  while (!signal.aborted) {
    await rest(times.leaseMs / 3, signal);
    if (signal.aborted) return;
    // Not to know is not to have lost it: the next row of the ledger will tell.
    const isHeld = await store.renewApply(lease, times.leaseMs).catch(() => null);
    if (isHeld === false) over.abort(new LeaseLost());
  }
}
