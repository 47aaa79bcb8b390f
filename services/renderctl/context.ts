import type { RunContext, RunOutcome } from "@signalbox/common/agent-run.ts";
import type { TaskClient } from "./clients/orchestrator.ts";
import type { RenderClient } from "./clients/render.ts";
import type { AdoptDrifts } from "./loops/adopt-drifts.ts";
import type { BlueprintDesk } from "./loops/blueprint-desk.ts";
import type { ApplyWish } from "./loops/blueprint-task.ts";
import type { CancelWish, DeployWish, RollbackWish } from "./loops/deploys.ts";
import type { DriftWatch } from "./loops/drift.ts";
import type { EnvWish } from "./loops/env.ts";
import type { EnvReader } from "./loops/env-reader.ts";
import type { NewServiceWish } from "./loops/new-service.ts";
import type { DeployStore } from "./store/deploys.ts";
import type { RepairStore } from "./store/repairs.ts";

type Run<W> = (context: RunContext<W>) => Promise<RunOutcome>;

/** What a route may use. */
export type Context = {
  client: RenderClient;
  tasks: TaskClient;
  store: DeployStore;
  envReader: EnvReader;
  desk: BlueprintDesk;
  drift: Pick<DriftWatch, "list">;
  adoptDrifts: AdoptDrifts;
  repairs: Pick<RepairStore, "list">;
  /** ids and names of RENDER_MONITOR_SERVICES */
  monitored: readonly string[];
  /** of what is built and names none; null when none is known */
  repository: string | null;
  /** how long a direct call waits for its task, in ms */
  askMs: number;
  runs: {
    deploy: Run<DeployWish>;
    rollback: Run<RollbackWish>;
    cancel: Run<CancelWish>;
    env: Run<EnvWish>;
    newService: Run<NewServiceWish>;
    applyBlueprint: Run<ApplyWish>;
    repair: Run<{ repairId: string }>;
  };
};
