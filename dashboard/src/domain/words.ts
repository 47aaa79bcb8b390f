import type { LogLevel } from "@signalbox/common/contracts/log.ts";
import type { TaskStatus } from "@signalbox/common/contracts/task.ts";

// The contract's word lists again: importing them as values would bundle TypeBox. `words.test.ts` compares the two.

export const statuses = [
  "queued",
  "running",
  "waiting",
  "completed",
  "failed",
  "canceled",
] as const satisfies readonly TaskStatus[];
export const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const satisfies readonly LogLevel[];

const ended: readonly TaskStatus[] = ["completed", "failed", "canceled"];

export function hasEnded(status: TaskStatus): boolean {
  return ended.includes(status);
}

export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A whole number with thousands apart, the same in every locale so that a copied figure reads the same everywhere. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function formatBytes(sizeBytes: number): string {
  if (sizeBytes < 1024) return `${sizeBytes} B`;
  if (sizeBytes < 1024 * 1024) return `${(sizeBytes / 1024).toFixed(1)} KB`;
  return `${(sizeBytes / 1024 / 1024).toFixed(1)} MB`;
}

/** The end of an id: UUIDv7s begin with their time, so all of one minute begin alike. */
export function shortId(id: string): string {
  return id.slice(-8);
}

const sentences: Record<string, string> = {
  created: "created",
  started: "started",
  progress: "progress",
  completed: "completed",
  failed: "failed",
  retry_scheduled: "retry scheduled",
  lease_expired: "lease expired",
  canceled: "canceled",
  patched: "changed",
  approval_requested: "approval requested",
  approved: "approved",
  rejected: "rejected",
  input_requested: "input requested",
  input_received: "input received",
  side_effect: "side effect",
  result_discarded: "late result discarded",
  note: "note",
};

export const eventKinds = Object.keys(sentences);

export function kindWords(kind: string): string {
  return sentences[kind] ?? kind.replaceAll("_", " ");
}

/** `person:admin` reads as "admin", `agent:echo-agent` as "echo-agent"; the prefix is in the title. */
export function actorName(actor: string): string {
  const colon = actor.indexOf(":");
  return colon === -1 ? actor : actor.slice(colon + 1);
}
