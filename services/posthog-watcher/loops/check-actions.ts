/*
 * Looks after every action, asked for or not, until it is known whether it helped: its task ends, time passes, the metric is looked at
 * again. What did not help is taken back where there is a way back, and an unasked one that did not help stops the mode until a
 * person lets it go on.
 *
 *   asked     --task completed-->          checking
 *   asked     --task failed, canceled-->   failed (unasked ones stop the mode)
 *   checking  --finding is over-->         helped
 *   checking  --time is over, still bad--> not_helped, or reversed when there is an undo
 */
import type { Task } from "@signalbox/common/contracts/task.ts";
import { CallError } from "@signalbox/common/fleet-call.ts";
import type { Finding } from "../finding.ts";
import { toTask, toUndo } from "../proposals.ts";
import type { Action } from "../store/intents.ts";
import type { Statements } from "../store.ts";
import { actor } from "./apply-event.ts";
import type { Kit } from "./kit.ts";

export async function checkActions(kit: Kit): Promise<void> {
  for (const action of await kit.store.intents.listOpenActions()) {
    if (action.state === "asked") await followTask(kit, action);
    else await checkMetric(kit, action);
  }
}

async function followTask(kit: Kit, action: Action): Promise<void> {
  if (action.taskId === null) return;
  const task = await kit.fleet.getTask(action.taskId).catch(nullIfAway);
  if (task === null || !["completed", "failed", "canceled"].includes(task.status)) return;
  if (task.status === "completed") {
    const undo = toUndo(task.result);
    // By the watcher's clock: what is compared with it are buckets.
    await kit.store.intents.moveAction({
      intentId: action.intentId,
      from: "asked",
      to: "checking",
      finishedAt: kit.clock(),
      undo,
    });
    return;
  }
  await fail(kit, action, task);
}

function nullIfAway(error: unknown): null {
  if (error instanceof CallError) return null;
  throw error;
}

async function fail(kit: Kit, action: Action, { status, error, id }: Task): Promise<void> {
  const to = status === "canceled" ? "refused" : "failed";
  const why = error?.message ?? status;
  await kit.store.together(async (tx) => {
    if (!(await tx.intents.moveAction({ intentId: action.intentId, from: "asked", to }))) return;
    const data = { taskId: id, outcome: to, why };
    await tx.findings.insertEvent({ findingId: action.findingId, kind: "checked", actor, at: kit.clock(), data });
    if (action.isUnasked && to === "failed") await stopExecuting(kit, tx, `${action.type} failed: ${why}`);
  });
}

/** The mode behaves as `propose` until somebody lets it go on. */
async function stopExecuting(kit: Kit, tx: Statements, why: string): Promise<void> {
  await tx.memory.keepMemory({
    key: "stop",
    value: { isStopped: true, why, at: new Date(kit.clock()).toISOString() },
    by: actor,
  });
  kit.log.warn({ why }, "nothing is executed unasked any more, until POST /watch/resume");
}

async function checkMetric(kit: Kit, action: Action): Promise<void> {
  const finding = await kit.store.findings.findFinding(action.findingId);
  if (finding === null || action.finishedAt === null) return;
  const now = kit.clock();
  if (finding.status === "resolved" || finding.status === "declined")
    return conclude(kit, action, { to: "helped", finding });
  if (now - action.finishedAt < kit.checkMs) return;
  const sight = await lookAt(kit, action, finding);
  if (sight === "too early" || sight === "coming back") return;
  await conclude(kit, action, { to: action.undo === null ? "not_helped" : "reversed", finding });
}

/** Nothing follows from time alone: the metric must have been read since, and must not be on its way back. */
async function lookAt({ store, checkMs }: Kit, { monitor, finishedAt }: Action, { evidence }: Finding) {
  const state = (await store.states.listStates()).find((one) => one.monitor === monitor);
  if ((state?.judgedUntil ?? 0) < (finishedAt ?? 0) + Math.min(checkMs, 3_600_000) / 2) return "too early" as const;
  const track = state?.tracks[evidence.series ?? ""];
  return track?.phase === "episode" && track.good > 0 ? ("coming back" as const) : ("still bad" as const);
}

type Conclusion = { to: "helped" | "not_helped" | "reversed"; finding: Finding };

async function conclude(kit: Kit, action: Action, { to, finding }: Conclusion): Promise<void> {
  const at = kit.clock();
  await kit.store.together(async (tx) => {
    if (!(await tx.intents.moveAction({ intentId: action.intentId, from: "checking", to }))) return;
    const data = { taskId: action.taskId, type: action.type, outcome: to };
    await tx.findings.insertEvent({ findingId: finding.id, kind: "checked", actor, at, data });
    if (to === "helped") return;
    if (action.isUnasked) await stopExecuting(kit, tx, `${action.type} did not bring ${finding.monitor} back`);
    if (to === "reversed" && action.undo) await reverse(kit, tx, { action, undo: action.undo, finding });
  });
  kit.intended();
}

type Reversal = { action: Action; undo: NonNullable<Action["undo"]>; finding: Finding };

/** What was done unasked is taken back unasked; what a person approved, a person decides about again. */
async function reverse(kit: Kit, tx: Statements, { action, undo, finding }: Reversal): Promise<void> {
  const isUnasked = action.isUnasked && kit.mode === "execute" && kit.allow.includes(undo.type);
  const task = toTask(undo, { ...finding, title: `Take back: ${finding.title}` }, isUnasked);
  await tx.intents.insertIntent({
    ...{ kind: "reverse", dedupeKey: `reverse:${action.intentId}`, findingId: finding.id, task, at: kit.clock() },
  });
}
