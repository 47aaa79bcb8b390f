/* What renderctl answers with, as the page reads it. Blueprints, plans and drifts are among the contracts. */

export type Deploy = {
  id: string;
  status: string;
  trigger: string | null;
  commit: { id: string; message: string | null } | null;
  createdAt: string | null;
  finishedAt: string | null;
  taskId?: string | null;
  traceId?: string | null;
};

export type RenderService = {
  id: string;
  name: string;
  type: string;
  url: string | null;
  suspended: boolean;
  autoDeploy: boolean;
  monitored: boolean;
  lastDeploy: Deploy | null;
  createdAt: string;
};

export type EnvKey = { key: string; state: "same" | "differs" | "only_live" | "only_blueprint" };

export type Repair = {
  id: string;
  service: { id: string; name: string };
  deployId: string;
  commitId: string;
  cause: string;
  evidence: string[];
  fix: { before: Record<string, string>; after: Record<string, string> } | null;
  state: "found" | "patching" | "deploying" | "fixed" | "reverted" | "yielded" | "reported";
  attempts: number;
  detail: string | null;
  repairDeployId: string | null;
  taskId: string | null;
  createdAt: string;
  updatedAt: string;
};

export type DeployLamp = "completed" | "failed" | "running" | "queued" | "canceled" | "unknown";

/** Render's words of a deploy as one of our lamps; a word that it adds later is told as it is. */
export function deployLamp(status: string): DeployLamp {
  if (status === "live") return "completed";
  if (status === "deactivated") return "canceled";
  if (status.endsWith("_failed")) return "failed";
  if (status === "canceled") return "canceled";
  if (status.endsWith("_in_progress")) return "running";
  return status === "created" || status === "queued" ? "queued" : "unknown";
}

export function deployWords(status: string): string {
  return status.replaceAll("_", " ");
}

export const repairLamps: Record<Repair["state"], "completed" | "running" | "failed" | "waiting" | "canceled"> = {
  found: "running",
  patching: "running",
  deploying: "running",
  fixed: "completed",
  reverted: "failed",
  yielded: "canceled",
  reported: "waiting",
};
