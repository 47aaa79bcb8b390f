import type { CreateTask } from "@signalbox/common/contracts/task.ts";
import { CallError } from "@signalbox/common/fleet-call.ts";
import { toRunKey } from "../chat-run.ts";
import { quote, toBody } from "../message.ts";
import { escapeHtml } from "../rich-text.ts";
import type { InboxUpdate } from "../store/inbox.ts";
import { keyOf, type Place, type Sender } from "../update.ts";
import type { Kit } from "./kit.ts";

/** Who wants a task, and where the answer goes. */
export type Asker = { place: Place; sender: Sender; messageId: number };

/** A message is the answer that a run waits for, or else a new run. */
export async function serveMessage(kit: Kit, update: InboxUpdate, message: Asker & { text: string }): Promise<string> {
  const answered = await answerRun(kit, message);
  if (answered !== null) return answered;
  return (await startRun(kit, update, message, message.text)).note;
}

/** Null when nothing here waits for an answer. */
async function answerRun(
  { store, fleet }: Kit,
  { place, sender, text }: Asker & { text: string },
): Promise<string | null> {
  const run = await store.findAskingRun(place);
  if (run?.taskId === undefined || run.taskId === null || run.inputVersion === null) return null;
  const { taskId, inputVersion, updateId } = run;
  const userKey = String(sender.id);
  try {
    await fleet.act(taskId, "input", { ifVersion: inputVersion, input: text }, userKey);
  } catch (error) {
    if (!(error instanceof CallError) || error.isPassing) throw error;
    // An attempt before this one may have brought the answer, and died before it was noted.
    const task = await fleet.findTask(taskId);
    const isOurs = task?.events.some(
      ({ kind, actor, version }) => kind === "input_received" && actor === userKey && version > inputVersion,
    );
    await store.keepInputVersion({ updateId, version: null });
    return isOurs === true ? `answered ${taskId}` : null;
  }
  await store.keepInputVersion({ updateId, version: null });
  return `answered ${taskId}`;
}

type Started = { taskId: string | null; note: string };

/** Sends the text as an event. The run is known before its task is, so that no frame of it comes too early. */
export function startRun(kit: Kit, update: InboxUpdate, asker: Asker, text: string): Promise<Started> {
  const userKey = String(asker.sender.id);
  const event = {
    schema_version: 1 as const,
    type: "telegram.message",
    conversation_key: keyOf(asker.place),
    user_key: userKey,
    text: text.slice(0, 500_000),
    raw: update.raw,
  };
  return ask(kit, update, asker, (wish) => kit.fleet.sendEvent(event, wish));
}

/** Makes a task of any type; its end is told like that of a message. */
export function startTask(kit: Kit, update: InboxUpdate, asker: Asker, task: CreateTask): Promise<Started> {
  const whole = { ...task, source: "telegram", userKey: String(asker.sender.id) };
  return ask(kit, update, asker, async (wish) => (await kit.fleet.createTask(whole, wish)).id);
}

type Post = (wish: { userKey: string; idempotencyKey: string; correlationId: string }) => Promise<string>;

async function ask(kit: Kit, { updateId }: InboxUpdate, asker: Asker, post: Post): Promise<Started> {
  const { store, bot } = kit;
  const { place, sender, messageId } = asker;
  const key = toRunKey(bot, updateId);
  await store.insertRun({ updateId, place, messageId, userId: sender.id });
  try {
    const taskId = await post({ userKey: String(sender.id), idempotencyKey: key, correlationId: key });
    await store.nameRun({ updateId, taskId });
    return { taskId, note: `run ${taskId}` };
  } catch (error) {
    const known = error instanceof CallError ? knownTask(error) : null;
    if (known !== null) {
      await store.nameRun({ updateId, taskId: known });
      return { taskId: known, note: `run ${known}` };
    }
    if (!(error instanceof CallError) || error.isPassing) throw error;
    await store.deleteRun(updateId);
    await refuse(kit, updateId, asker, error);
    return { taskId: null, note: `refused: ${error.code}` };
  }
}

/** The key made a task before, of words that this version of the program puts differently. */
function knownTask(error: CallError): string | null {
  const [detail] = error.details as { taskId?: unknown }[];
  return error.code === "idempotency_conflict" && typeof detail?.taskId === "string" ? detail.taskId : null;
}

async function refuse({ store }: Kit, updateId: number, { place, messageId }: Asker, error: CallError): Promise<void> {
  const { chatId, threadId } = place;
  const html = `❌ <b>${escapeHtml(error.code)}</b>: ${quote(error.message, 1_000)}`;
  const body = { ...toBody(`${error.code}: ${error.message}`), html, replyTo: messageId };
  await store.enqueueMessages([{ chatId, threadId, body, dedupeKey: `update:${updateId}:reply` }]);
}
