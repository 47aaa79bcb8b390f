/*
 * Makes the tasks that were intended. An intent is stored with what it follows from; here it goes out, with its id as idempotency key,
 * until the orchestrator has it or refuses it. A crash anywhere sends it again, and the orchestrator answers the first task.
 */
import { CallError } from "@signalbox/common/fleet-call.ts";
import type { Intent } from "../store/intents.ts";
import type { Statements } from "../store.ts";
import { actor } from "./apply-event.ts";
import type { Kit } from "./kit.ts";

const atOnce = 50;
const firstDelayMs = 2_000;
const longestDelayMs = 5 * 60_000;

/** @returns how many went out or ended */
export async function sendIntents(kit: Kit): Promise<number> {
  const due = await kit.store.intents.listDueIntents(atOnce);
  for (const intent of due) await sendIntent(kit, intent);
  return due.length;
}

async function sendIntent(kit: Kit, intent: Intent): Promise<void> {
  try {
    const task = await kit.fleet.createTask(intent.task, intent.id);
    await kit.store.together(async (tx) => {
      if ((await tx.intents.markSent(intent.id, task.id)) === 0) return;
      await noteOnFinding(tx, intent, task.id, kit.clock());
    });
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    if (error.isPassing) await putBack(kit, intent, error);
    else await giveUp(kit, intent, error);
  }
}

const eventKinds = { propose: "proposed", execute: "executed", reverse: "reversed" } as const;

async function noteOnFinding(
  tx: Statements,
  { kind, findingId, task }: Intent,
  taskId: string,
  at: number,
): Promise<void> {
  if (findingId === null || !(kind in eventKinds)) return;
  const eventKind = eventKinds[kind as keyof typeof eventKinds];
  await tx.findings.changeFinding(findingId, { change: { addTaskId: taskId }, at, ifVersion: null });
  await tx.findings.insertEvent({ findingId, kind: eventKind, actor, at, data: { taskId, type: task.type } });
}

async function putBack({ store, log }: Kit, intent: Intent, error: CallError): Promise<void> {
  const delayMs =
    Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(intent.attempts, 10)) * (0.5 + Math.random() / 2);
  await store.intents.putBack({ id: intent.id, error: error.message, delayMs });
  log.info({ intentId: intent.id, err: error }, "a task could not be made yet; it will be tried again");
}

/** Such as a type that nobody registered: a fleet without a chat has nobody to tell, and that is no trouble. */
async function giveUp({ store, log, clock }: Kit, intent: Intent, error: CallError): Promise<void> {
  await store.together(async (tx) => {
    if ((await tx.intents.markFailed(intent.id, error.message)) === 0) return;
    if (intent.kind !== "propose" && intent.kind !== "execute" && intent.kind !== "reverse") return;
    await tx.intents.moveAction({ intentId: intent.id, from: "asked", to: "refused" });
    if (intent.findingId === null) return;
    const data = { type: intent.task.type, why: error.message };
    await tx.findings.insertEvent({ findingId: intent.findingId, kind: "not_proposed", actor, at: clock(), data });
  });
  const isChat = intent.kind === "notify" && error.code === "unsupported_task_type";
  log[isChat ? "debug" : "warn"]({ intentId: intent.id, taskType: intent.task.type, err: error }, "a task was refused");
}
