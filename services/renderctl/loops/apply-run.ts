/*
 * One apply, from its first step to the end of its deploys. The ledger is the truth: a step's row says "running" before its
 * first request and "done" after its last, and whoever holds the lease goes on from there. The lease is checked with every
 * row that is written, so a process that was stopped for a while and wakes up changes no ledger; and each request follows a
 * look at what is live (apply-step.ts), so that what a predecessor sent is not sent again.
 *
 *   crash before a step's row says running   nothing was sent; the next holder begins it
 *   crash while it says running              the next holder looks, then sends what is missing
 *   crash after its last request             the same: there is nothing missing, and it is done
 *   crash before the apply's end             the next holder finds every step over, and ends it
 */
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { type Blueprint, labelOf } from "../blueprint.ts";
import {
  type Apply,
  deploysToFollow,
  hasEnded,
  isGood,
  judgeEnd,
  judgeStep,
  type LedgerStep,
  type LedgerWrite,
  type StepNote,
} from "../blueprint-ledger.ts";
import type { RenderApi, RenderClient, RenderWrite } from "../clients/render.ts";
import { RenderError } from "../render-error.ts";
import type { ApplyLease, StepChange } from "../store/applies.ts";
import type { BlueprintStore } from "../store/blueprints.ts";
import { doStep, StepError, type StepScope } from "./apply-step.ts";

export type ApplyKit = {
  client: RenderClient;
  store: BlueprintStore;
  hash(value: string): string;
  log: () => Log;
  times: Times;
};

export type Times = {
  leaseMs: number;
  /** how often a deploy, or a database that is being made, is looked at */
  pollMs: number;
  /** how long a database may take to become ready, and a deploy to end */
  readyMs: number;
  deployMs: number;
  /** before a step whose outcome is not known is looked at again */
  againMs: number;
};

/** Told while an apply goes on; a throw ends the work, and the ledger stays for whoever goes on. */
export type Watcher = {
  signal: AbortSignal;
  onProgress?(message: string, percent: number): Promise<void>;
  /** awaited after every request that changed something */
  onWrite?(write: LedgerWrite, step: LedgerStep): Promise<void>;
};

export type Work = { lease: ApplyLease; apply: Apply; blueprint: Blueprint; watcher: Watcher; signal: AbortSignal };

/** Somebody else works on the apply now. */
export class LeaseLost extends Error {}

/** A step whose requests keep getting lost is looked at this often before it is left to a person. */
const looksAtMost = 3;
/** An apply is worth waiting for Render's limits. */
const patienceMs = 300_000;

/** @throws LeaseLost, and whatever the watcher throws */
export async function workThrough(kit: ApplyKit, work: Work): Promise<void> {
  const { apply, lease } = work;
  for (const step of apply.steps) {
    const verdict = judgeStep(step, apply.steps);
    if (verdict.kind === "skip") {
      await mark(kit, work, step, { state: "skipped", error: `${verdict.because} did not succeed` });
    }
    if (verdict.kind === "run") await runStep(kit, work, step);
  }
  await followDeploys(kit, work);
  const end = judgeEnd(apply.steps);
  if (!(await kit.store.endApply(lease, end))) throw new LeaseLost();
  kit.log().info({ applyId: apply.id, actor: apply.actor, ...end }, "an apply has ended");
}

async function mark({ store }: ApplyKit, { lease }: Work, step: LedgerStep, change: StepChange): Promise<void> {
  if (!(await store.markStep(lease, step.position, change))) throw new LeaseLost();
  step.state = change.state;
  step.error = change.error ?? null;
  step.note = { ...step.note, ...change.note };
}

async function runStep(kit: ApplyKit, work: Work, step: LedgerStep): Promise<void> {
  const { apply, watcher } = work;
  const done = apply.steps.filter(({ state }) => state === "done").length;
  await watcher.onProgress?.(`${step.step.action} ${step.step.resource}`, (done / apply.steps.length) * 100);
  for (let look = 1; ; look++) {
    await mark(kit, work, step, { state: "running" });
    const failure = await attempt(kit, work, step);
    if (failure === null) return;
    const isOpen = failure instanceof RenderError && failure.mayHaveLanded;
    if (!isOpen || look === looksAtMost) {
      await mark(kit, work, step, { state: isOpen ? "unknown" : "failed", error: failure.message });
      kit.log().warn({ applyId: apply.id, step: step.step.id, error: failure.message }, "a step did not succeed");
      return;
    }
    await rest(kit.times.againMs, work.signal);
    work.signal.throwIfAborted();
  }
}

/** Null when it is done; else why not. */
async function attempt(kit: ApplyKit, work: Work, step: LedgerStep): Promise<Error | null> {
  const { apply, signal } = work;
  try {
    const resource = work.blueprint.resources.find((one) => labelOf(one) === step.step.resource) ?? null;
    const note = await doStep(await openScope(kit, work, step), step.step, { resource, note: step.note });
    if (note.resourceId && step.step.action !== "delete") {
      await kit.store.addManaged({ id: note.resourceId, account: apply.account, resource: step.step.resource });
    }
    await mark(kit, work, step, { state: "done", note });
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof StepError || error instanceof RenderError) return error;
    throw error;
  }
}

async function openScope(kit: ApplyKit, work: Work, step: LedgerStep): Promise<StepScope> {
  const { apply, signal, lease } = work;
  const api = openApi(kit, work, step);
  return {
    ...{ api, signal, hash: kit.hash, ownerId: apply.account },
    ...{ pollMs: kit.times.pollMs, patienceMs: kit.times.readyMs },
    request: { ownerId: apply.account, credentials: await readCredentials(api, work) },
    async remember(note: StepNote) {
      if (!(await kit.store.rememberStep(lease, step.position, note))) throw new LeaseLost();
      step.note = { ...step.note, ...note };
    },
  };
}

function openApi({ client, store }: ApplyKit, { apply, watcher, signal }: Work, step: LedgerStep): RenderApi {
  const onWrite = async ({ operation, method, path, status }: RenderWrite) => {
    const write = { operation, method, path, status };
    await store.noteWrite(apply.id, step.position, write);
    await watcher.onWrite?.(write, step);
  };
  return client.during({ signal, patienceMs, onWrite });
}

async function readCredentials(api: RenderApi, { blueprint, apply }: Work): Promise<Record<string, string>> {
  const isNamed = blueprint.resources.some((one) => "fields" in one && one.fields.registryCredential !== undefined);
  if (!isNamed) return {};
  const all = await api.places.listRegistryCredentials({ ownerId: apply.account });
  return Object.fromEntries(all.map(({ name, id }) => [name, id]));
}

/** An apply is over when what it deployed is live, or known not to be. */
async function followDeploys(kit: ApplyKit, work: Work): Promise<void> {
  const { signal, watcher, apply } = work;
  const giveUpAt = performance.now() + kit.times.deployMs;
  for (;;) {
    const isLate = performance.now() > giveUpAt;
    for (const step of deploysToFollow(apply.steps)) await lookAtDeploy(kit, work, step, isLate);
    const left = deploysToFollow(apply.steps);
    if (left.length === 0) return;
    await watcher.onProgress?.(`waiting for the deploys of ${left.map(({ step }) => step.resource).join(", ")}`, 99);
    await rest(kit.times.pollMs, signal);
    signal.throwIfAborted();
  }
}

async function lookAtDeploy(kit: ApplyKit, work: Work, step: LedgerStep, isLate: boolean): Promise<void> {
  const { deployId = "" } = step.note;
  const status = await readStatus(kit, work, step.note);
  const note = status === null ? {} : { deployStatus: status };
  if (status !== null && hasEnded(status)) {
    const end = isGood(status)
      ? { state: "done" as const }
      : { state: "failed" as const, error: `${deployId} ended ${status}` };
    await mark(kit, work, step, { ...end, note });
  } else if (isLate) {
    await mark(kit, work, step, { state: "unknown", note, error: `deploy ${deployId} has not ended in time` });
  } else if (status !== null && status !== step.note.deployStatus) await mark(kit, work, step, { state: "done", note });
}

/** Null while Render does not say. */
async function readStatus({ client }: ApplyKit, { signal }: Work, note: StepNote): Promise<string | null> {
  const { deploys } = client.during({ signal });
  try {
    return (await deploys.get(note.resourceId ?? "", note.deployId ?? "")).status;
  } catch (error) {
    if (error instanceof RenderError && error.retryable) return null;
    throw error;
  }
}
