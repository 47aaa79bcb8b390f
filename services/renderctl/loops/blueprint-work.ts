import type { RunContext, RunOutcome } from "@signalbox/common/agent-run.ts";
import type { Log } from "@signalbox/common/log.ts";
import type { RenderClient } from "../clients/render.ts";
import { RenderError } from "../render-error.ts";
import type { AuditEntry } from "../render-shapes.ts";
import type { BlueprintStore } from "../store/blueprints.ts";
import { buildAdoption } from "./adopt-drifts.ts";
import { buildApplies } from "./applies.ts";
import type { Times } from "./apply-run.ts";
import { buildApplyTending } from "./apply-tending.ts";
import { buildBlueprintDesk } from "./blueprint-desk.ts";
import { type ApplyWish, runBlueprintApply } from "./blueprint-task.ts";
import { buildDriftWatch } from "./drift.ts";
import { buildPlanner } from "./planner.ts";
import type { Tools } from "./render-task.ts";

export type BlueprintWorkOptions = {
  tools: Tools;
  store: BlueprintStore;
  hash(value: string): string;
  /** names this process in ledgers */
  instance: string;
  repository: string | null;
  selfId: string | null;
  driftMinutes: number;
  log: () => Log;
  times?: Partial<Times>;
};

/** Everything about blueprints, put together. */
export function buildBlueprintWork(options: BlueprintWorkOptions) {
  const { tools, store, hash, instance, repository, selfId, log, times } = options;
  const { client, tasks, workspace } = tools;
  const ownerId = workspace.ownerId;
  const planner = buildPlanner({ client, store, ownerId, hash, repository, selfId });
  const applies = buildApplies({ client, store, planner, hash, instance, log, times });
  const readAudit = buildAuditReader(client);
  const drift = buildDriftWatch({ planner, store, tasks, log, readAudit, everyMinutes: options.driftMinutes });
  return {
    drift,
    adoptDrifts: buildAdoption(planner),
    planner,
    applies,
    desk: buildBlueprintDesk({ planner, applies, store, tasks }),
    tending: buildApplyTending({ store, tasks, log }),
    run: (context: RunContext<ApplyWish>): Promise<RunOutcome> =>
      runBlueprintApply({ tools, planner, applies, store }, context),
  };
}

/** To know who did it is good, and not worth failing for: not every workspace has an audit log, nor every token a look at it. */
function buildAuditReader(client: RenderClient) {
  return async (account: string, signal: AbortSignal): Promise<AuditEntry[]> => {
    try {
      return await client.during({ signal }).owners.listAudit(account);
    } catch (error) {
      if (error instanceof RenderError) return [];
      throw error;
    }
  };
}

/** The repository of what names none: as set, or as Render says of the service that runs this. */
export function repositoryOf(settings: { RENDER_REPO?: string; RENDER_GIT_REPO_SLUG?: string }): string | null {
  const { RENDER_REPO, RENDER_GIT_REPO_SLUG: slug } = settings;
  return RENDER_REPO ?? (slug === undefined ? null : `https://github.com/${slug}`);
}
