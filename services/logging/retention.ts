import { dayMs } from "./record.ts";

/** One day of the log. */
export type Partition = {
  name: string;
  /** `2026-01-31`, UTC */
  day: string;
  /** The latter two: a drop began and its process died before it was done. */
  state: "attached" | "detaching" | "detached";
  rowsEstimate: number;
  /** with its indexes */
  sizeBytes: number;
};

export type Drop = { partition: Partition; reason: "age" | "size" };

export type RetentionRules = { nowMs: number; retentionDays: number; maxBytes: number };

/** Which days go, the oldest first, and what is left then. The present day and those ahead always stay. */
export function planDrops(
  partitions: readonly Partition[],
  { nowMs, retentionDays, maxBytes }: RetentionRules,
): { drops: Drop[]; bytesLeft: number } {
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const drops: Drop[] = [];
  let bytesLeft = partitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const partition of [...partitions].sort((a, b) => (a.day < b.day ? -1 : 1))) {
    const isOld = isExpired(partition.day, nowMs, retentionDays);
    const isForRoom = bytesLeft > maxBytes && partition.day < today;
    if (!isOld && !isForRoom && partition.state === "attached") continue;
    bytesLeft -= partition.sizeBytes;
    drops.push({ partition, reason: isOld ? "age" : "size" });
  }
  return { drops, bytesLeft };
}

/** A day is dropped when even its last record is too old. */
export function isExpired(day: string, nowMs: number, retentionDays: number): boolean {
  return Date.parse(`${day}T00:00:00.000Z`) + dayMs <= nowMs - retentionDays * dayMs;
}
