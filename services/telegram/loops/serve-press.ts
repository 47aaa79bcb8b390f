import type { Task, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { CallError } from "@signalbox/common/fleet-call.ts";
import { judgePress, pressAnswers } from "../button.ts";
import { fromOwnHtml } from "../message.ts";
import type { StoredButton } from "../store/buttons.ts";
import type { InboxUpdate } from "../store/inbox.ts";
import type { Signal } from "../update.ts";
import { describeChanges, describeStale } from "../wording.ts";
import { actOnce } from "./act-once.ts";
import type { Kit } from "./kit.ts";
import { actionsFor, planButtons } from "./shown.ts";

type Press = Extract<Signal, { kind: "press" }>;

/**
 * A press is done once, however often it is worked off: a decision is bound to the version that was shown, so the second one is stale, a
 * cancel of what is canceled comes to the same, and a retry remembers from where.
 */
export async function servePress(kit: Kit, { updateId }: InboxUpdate, press: Press): Promise<string> {
  const { chatId } = press.place;
  const button = await kit.store.findButton({ token: press.token, chatId });
  const verdict = judgePress(button, { userId: press.sender.id, messageId: press.messageId });
  if (verdict !== "good" || button === null) {
    await answer(kit, press, pressAnswers[verdict === "good" ? "unknown" : verdict]);
    return `press: ${verdict}`;
  }
  const said = await act(kit, button, { ...press, updateId }).catch(async (error: unknown) => {
    // Telegram forgets a press within seconds; the deed itself is tried again.
    if (isPassing(error)) await answer(kit, press, "The fleet does not answer; this is tried again.");
    throw error;
  });
  await answer(kit, press, said);
  return `press: ${button.action} ${button.taskId}`;
}

function isPassing(error: unknown): boolean {
  return error instanceof CallError && error.isPassing;
}

/** An old press cannot be answered any more, which harms nobody. */
async function answer({ api, log }: Kit, { queryId }: Press, text: string): Promise<void> {
  await api.answerPress(queryId, text).catch((error: unknown) => log.debug({ err: error }, "a press was not answered"));
}

const done = { approve: "Approved", reject: "Rejected", cancel: "Canceled", retry: "It runs again" } as const;

async function act(kit: Kit, button: StoredButton, press: Press & { updateId: number }): Promise<string> {
  const { action, taskId, ifVersion } = button;
  const isDecision = action === "approve" || action === "reject";
  const note = `${press.sender.name} in Telegram`;
  const body = isDecision ? { ifVersion, note } : { reason: note };
  const userKey = String(press.sender.id);
  try {
    await actOnce(kit, press.updateId, { action, taskId, userKey, body });
    return done[action];
  } catch (error) {
    if (!(error instanceof CallError) || error.isPassing) throw error;
    const task = await kit.fleet.findTask(taskId);
    if (task === null) return "This task does not exist any more.";
    if (isDecision && isOwnDecision(task, { userKey, action, ifVersion })) return done[action];
    return await showStale(kit, { button, task, error });
  }
}

/** The press came before, and whoever worked it off died before it was noted. */
function isOwnDecision(
  { events }: TaskWithEvents,
  press: { userKey: string; action: string; ifVersion: number | null },
): boolean {
  const kind = press.action === "approve" ? "approved" : "rejected";
  return events.some(
    (event) => event.kind === kind && event.actor === press.userKey && event.version === (press.ifVersion ?? 0) + 1,
  );
}

type Stale = { button: StoredButton; task: TaskWithEvents; error: CallError };

/** Nothing was done: the message shows what changed since, with the buttons of now. */
async function showStale(kit: Kit, { button, task, error }: Stale): Promise<string> {
  if (button.ifVersion === null) return error.message.slice(0, 190);
  const { chatId, slot, userId } = button;
  const changes = describeChanges(task.events, button.ifVersion);
  const plan = planButtons(kit, { chatId, userId, slot, taskId: task.id, version: task.version }, decisionsOf(task));
  const body = { ...fromOwnHtml(describeStale(task, changes)), buttons: plan.row.length > 0 ? [plan.row] : [] };
  await kit.store.together(async (tables) => {
    await tables.insertButtons(plan.stored);
    await tables.setMessage({ chatId, threadId: null, slot, body, onlyEdit: true, spacingMs: 0 });
  });
  kit.ring("outbox");
  return "Changed since it was shown: nothing was decided. Look again.";
}

function decisionsOf(task: Task) {
  return actionsFor(task).filter((action) => action === "approve" || action === "reject");
}
