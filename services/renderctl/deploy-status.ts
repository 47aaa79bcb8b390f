import type { Deploy, DeployStatus } from "./render-shapes.ts";

/** Where a deploy is on its way, and how a person is told. */
type Stage = { percent: number; saying: string; end?: "good" | "bad" };

const stages: Record<DeployStatus, Stage> = {
  created: { percent: 5, saying: "waits to begin" },
  queued: { percent: 5, saying: "waits in Render's queue" },
  build_in_progress: { percent: 30, saying: "is being built" },
  pre_deploy_in_progress: { percent: 60, saying: "runs its pre-deploy command" },
  update_in_progress: { percent: 80, saying: "is being started" },
  live: { percent: 100, saying: "is live", end: "good" },
  // It was live, and something newer is by now.
  deactivated: { percent: 100, saying: "was live and has been replaced", end: "good" },
  build_failed: { percent: 100, saying: "failed to build", end: "bad" },
  pre_deploy_failed: { percent: 100, saying: "failed in its pre-deploy command", end: "bad" },
  update_failed: { percent: 100, saying: "was built and did not start", end: "bad" },
  canceled: { percent: 100, saying: "was canceled", end: "bad" },
};

/** A status that Render has only had since this was written counts as being on its way. */
export function stageOf(status: string): Stage {
  return stages[status as DeployStatus] ?? { percent: 50, saying: `is ${status}` };
}

export function hasEnded({ status }: Pick<Deploy, "status">): boolean {
  return stageOf(status).end !== undefined;
}

/**
 * The deploy to go back to: the newest that was live before the one that is.
 *
 * @param deploys newest first
 * @returns null when there is none
 */
export function findRollbackTarget(deploys: readonly Deploy[]): Deploy | null {
  const live = deploys.findIndex(({ status }) => status === "live");
  return deploys.slice(live + 1).find(({ status }) => status === "deactivated") ?? null;
}

/**
 * The deploy that an earlier attempt asked for, if Render has it.
 *
 * @param deploys newest first
 * @param seenId the newest from before it was asked for; null: there was none
 */
export function findAsked(
  deploys: readonly Deploy[],
  seenId: string | null,
  trigger: "api" | "rollback",
): Deploy | null {
  const known = deploys.findIndex(({ id }) => id === seenId);
  const since = known === -1 ? deploys : deploys.slice(0, known);
  return since.findLast((deploy) => deploy.trigger === trigger) ?? null;
}
