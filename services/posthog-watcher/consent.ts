/*
 * Whether anybody has allowed what is about to be changed outside. The orchestrator asks when a task is made; this is asked again when it
 * is carried out, because in between the mode may have become another one, or somebody may have pulled the brake.
 */
import type { TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import type { Mode } from "./proposals.ts";

export type Consented = {
  type: string;
  mode: Mode;
  allow: readonly string[];
  isStopped: boolean;
  /** it takes back what was done unasked, which the brake does not stop */
  isReversal: boolean;
};

/** Actors that are nobody: what they ask for, a person has not asked for. */
const notPeople = /^(?:agent|service|schedule|webhook):/;

/** What changes nothing but adds a note: whoever lets the watcher do more than observe has allowed it. */
const notes = ["posthog.annotate"];

/** Why a task must not be carried out; null when it may. */
export function findRefusal(task: Pick<TaskWithEvents, "approval" | "events">, terms: Consented): string | null {
  const maker = task.events.find(({ kind }) => kind === "created")?.actor;
  const isAllowed = task.approval?.decidedBy != null || (maker !== undefined && !notPeople.test(maker));
  if (isAllowed) return null;
  const { type, mode, allow, isStopped, isReversal } = terms;
  if (mode !== "observe" && notes.includes(type)) return null;
  if (mode !== "execute" || !allow.includes(type)) {
    return `Nobody has approved this task, and in mode ${mode} ${type} is not carried out without.`;
  }
  return isStopped && !isReversal ? "Nobody has approved this task, and nothing is executed unasked any more." : null;
}
