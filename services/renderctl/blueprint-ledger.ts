import type { Plan, Step } from "./blueprint-plan.ts";

/*
 * The ledger of an apply: a row a step, written before the step begins and after it ended, so that whoever goes on after a
 * crash knows what may have happened.
 *
 *   pending   not begun
 *   running   begun; after a crash: look at what is live before doing anything
 *   done      it is as the plan wanted it
 *   failed    Render refused it, or a deploy of it failed
 *   unknown   a request was sent, and nobody knows whether it was carried out
 *   skipped   a step that it needs failed
 */

export type StepState = "pending" | "running" | "done" | "failed" | "skipped" | "unknown";
export type ApplyState = "requested" | "running" | "done" | "failed";

/** One request that changed something, without what was sent. */
export type LedgerWrite = { operation: string; method: string; path: string; status: number | null };

/** What a later attempt of a step must know. */
export type StepNote = {
  /** the live resource that it is about */
  resourceId?: string;
  /** the newest deploy from before this step: a newer one of the API's is its own */
  deployBefore?: string | null;
  deployId?: string;
  deployStatus?: string;
};

export type LedgerStep = {
  position: number;
  step: Step;
  state: StepState;
  attempts: number;
  note: StepNote;
  writes: LedgerWrite[];
  error: string | null;
  startedAt: Date | null;
  finishedAt: Date | null;
};

export type Apply = {
  id: string;
  account: string;
  planId: string;
  taskId: string | null;
  /** how often the task had ended before */
  taskRound: number;
  blueprintPath: string;
  blueprint: string;
  prune: boolean;
  fingerprint: string;
  plan: Plan;
  actor: string;
  state: ApplyState;
  error: string | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  steps: LedgerStep[];
};

export type Verdict = { kind: "run" } | { kind: "skip"; because: string } | { kind: "over" };

const isOver = ({ state }: LedgerStep) =>
  state === "done" || state === "failed" || state === "skipped" || state === "unknown";

/** What to do with a step now; those that it needs stand before it. */
export function judgeStep(step: LedgerStep, all: readonly LedgerStep[]): Verdict {
  if (isOver(step)) return { kind: "over" };
  const broken = all.find((one) => step.step.after.includes(one.step.id) && one.state !== "done");
  return broken ? { kind: "skip", because: broken.step.id } : { kind: "run" };
}

/** How an apply whose steps are all over has ended, in words. */
export function judgeEnd(steps: readonly LedgerStep[]): { state: "done" | "failed"; error: string | null } {
  const bad = steps.filter(({ state }) => state === "failed" || state === "unknown");
  if (bad.length === 0) return { state: "done", error: null };
  const [first] = bad;
  const skipped = steps.filter(({ state }) => state === "skipped").length;
  const others = bad.length > 1 ? ` and ${bad.length - 1} more` : "";
  const rest = skipped > 0 ? `; ${skipped} that need them were skipped` : "";
  const error = `${first?.step.id}${others} did not succeed${rest}. ${first?.error ?? ""} Applying again continues from here.`;
  return { state: "failed", error };
}

/** Steps that brought a deploy which is to be followed: of several of one service the last, which shows all. */
export function deploysToFollow(steps: readonly LedgerStep[]): LedgerStep[] {
  const last = new Map<string, LedgerStep>();
  for (const step of steps) {
    if (step.note.deployId !== undefined && step.state === "done") last.set(step.step.resource, step);
  }
  return [...last.values()].filter(({ note }) => note.deployStatus === undefined || !hasEnded(note.deployStatus));
}

const endings = ["live", "deactivated", "build_failed", "pre_deploy_failed", "update_failed", "canceled"];

export function hasEnded(status: string): boolean {
  return endings.includes(status);
}

/** A deploy that was replaced by a later one was live in between. */
export function isGood(status: string): boolean {
  return status === "live" || status === "deactivated";
}
