import type { Cause } from "./build-log.ts";
import type { Fix } from "./repair-fix.ts";

/*
 * Whether a failed deploy may be repaired, and what became of a repair. Bounded on every side: a remedy is tried once on a
 * commit, twice is the most on one commit, four times a day is the most on one service and ten on all, a quarter of an hour
 * apart. Past that a person is told.
 */

export type RepairState = "found" | "patching" | "deploying" | "fixed" | "reverted" | "yielded" | "reported";

/** One line of the story, newest first in lists. */
export type PastRepair = {
  serviceId: string;
  commitId: string;
  cause: Cause;
  fixAfter: Fix | null;
  state: RepairState;
  createdAt: Date;
};

const bounds = { perCommit: 2, perServiceDaily: 4, daily: 10, apartMs: 15 * 60_000 } as const;
const dayMs = 86_400_000;

export type Permission = { kind: "repair"; attempt: number } | { kind: "wait" } | { kind: "report"; because: string };

/** @param past repairs of the last day and of this commit, of every service */
export function judgePermission(
  wanted: { serviceId: string; commitId: string; fix: Fix | null },
  past: readonly PastRepair[],
  now: Date,
): Permission {
  const { serviceId, commitId, fix } = wanted;
  if (fix === null) return { kind: "report", because: "there is nothing in the settings that would mend it" };
  const acted = past.filter(({ state, fixAfter }) => fixAfter !== null && state !== "yielded");
  const own = acted.filter((one) => one.serviceId === serviceId);
  const onCommit = own.filter((one) => one.commitId === commitId);
  if (onCommit.some(({ fixAfter }) => isSame(fixAfter, fix))) {
    return { kind: "report", because: "the same remedy was tried on this commit before" };
  }
  if (onCommit.length >= bounds.perCommit)
    return { kind: "report", because: `${onCommit.length} remedies did not mend this commit` };
  const today = (all: readonly PastRepair[]) =>
    all.filter(({ createdAt }) => now.getTime() - createdAt.getTime() < dayMs).length;
  if (today(own) >= bounds.perServiceDaily)
    return { kind: "report", because: "it was repaired as often as it may be in a day" };
  if (today(acted) >= bounds.daily) return { kind: "report", because: "as many repairs as a day may have were made" };
  const last = Math.max(0, ...own.map(({ createdAt }) => createdAt.getTime()));
  if (now.getTime() - last < bounds.apartMs) return { kind: "wait" };
  return { kind: "repair", attempt: onCommit.length + 1 };
}

function isSame(a: Fix | null, b: Fix): boolean {
  const text = (fix: Fix) => JSON.stringify([fix.rootDir ?? null, fix.buildCommand ?? null, fix.publishPath ?? null]);
  return a !== null && text(a) === text(b);
}

export type Outcome = { kind: "fixed" } | { kind: "revert" } | { kind: "keep" };

/** What the deploy after a fix says: the same cause as before means that the fix was none. */
export function judgeOutcome(before: Cause, after: { status: string; cause: Cause }): Outcome {
  if (after.status === "live" || after.status === "deactivated") return { kind: "fixed" };
  return after.cause === before ? { kind: "revert" } : { kind: "keep" };
}
