import type { Task, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { CallError } from "@signalbox/common/fleet-call.ts";
import { readTaskId } from "../command.ts";
import { fromOwnHtml, quote } from "../message.ts";
import { describeApproval, describeTask, taskLine } from "../wording.ts";
import { actOnce } from "./act-once.ts";
import type { Answer, CommandCall } from "./serve-command.ts";
import { actionsFor, holderOf, planButtons } from "./shown.ts";

const statuses = ["queued", "running", "waiting", "completed", "failed", "canceled"];

export async function answerTasks({ kit, text }: CommandCall): Promise<Answer> {
  const status = text.toLowerCase();
  const filter: Record<string, string> = statuses.includes(status) ? { status } : {};
  const tasks = await kit.fleet.listTasks({ limit: "10", ...filter });
  const list = tasks.map(taskLine).join("\n");
  return { body: fromOwnHtml(list === "" ? "There are no such tasks." : list) };
}

export async function answerTask(call: CommandCall): Promise<Answer> {
  const wanted = readTaskId(call.text);
  if (wanted === null) return usage("/task &lt;id&gt;; /tasks lists them");
  const task = await call.kit.fleet.findTask(wanted.id);
  return task === null ? absent(wanted.id) : showTask(call, task);
}

/** A task with what can be done about it, bound to the version that is shown. */
function showTask({ kit, command, slot }: CommandCall, task: Task, before = ""): Answer {
  const { chatId } = command.place;
  const plan = { chatId, userId: holderOf(chatId), slot, taskId: task.id, version: task.version };
  const { row, stored } = planButtons(kit, plan, actionsFor(task));
  const isAsking = task.status === "waiting" && task.waitingFor === "approval";
  const body = fromOwnHtml(before + (isAsking ? describeApproval(task) : describeTask(task)));
  return { body: { ...body, buttons: row.length > 0 ? [row] : [] }, buttons: stored };
}

/**
 * A typed decision is about what this chat was shown last. When nothing was shown, or the task has changed since, it is shown now, and
 * nothing is decided.
 */
export async function answerDecision(call: CommandCall, verdict: "approve" | "reject"): Promise<Answer> {
  const wanted = readTaskId(call.text);
  if (wanted === null) return listWaiting(call, verdict);
  const { kit, command } = call;
  const { chatId } = command.place;
  const task = await kit.fleet.findTask(wanted.id);
  if (task === null) return absent(wanted.id);
  const isWaiting = task.status === "waiting" && task.waitingFor === "approval";
  if (!isWaiting)
    return isDecidedBy(task, call, verdict)
      ? decided(verdict)
      : showTask(call, task, "It does not wait for approval.\n\n");
  const shown = await kit.store.findShownVersion({ taskId: task.id, chatId });
  if (shown !== task.version) return showTask(call, task, "Look at it as it is now, then press.\n\n");
  return decide(call, { task, verdict, note: wanted.rest });
}

type Decision = { task: TaskWithEvents; verdict: "approve" | "reject"; note: string };

async function decide(call: CommandCall, { task, verdict, note }: Decision): Promise<Answer> {
  const { kit, command } = call;
  const by = `${command.sender.name} in Telegram`;
  const body = { ifVersion: task.version, note: note === "" ? by : `${note} (${by})` };
  try {
    await kit.fleet.act(task.id, verdict, body, String(command.sender.id));
    return decided(verdict);
  } catch (error) {
    if (!(error instanceof CallError) || error.isPassing) throw error;
    const now = (await kit.fleet.findTask(task.id)) ?? task;
    return showTask(call, now, `${quote(error.message)}\n\n`);
  }
}

/** This very command decided it, and its first answer was lost. */
function isDecidedBy(task: TaskWithEvents, { command }: CommandCall, verdict: "approve" | "reject"): boolean {
  const kind = verdict === "approve" ? "approved" : "rejected";
  return task.events.some((event) => event.kind === kind && event.actor === String(command.sender.id));
}

function decided(verdict: "approve" | "reject"): Answer {
  return { body: fromOwnHtml(verdict === "approve" ? "✅ Approved." : "✋ Rejected.") };
}

async function listWaiting({ kit }: CommandCall, verdict: string): Promise<Answer> {
  const tasks = await kit.fleet.listTasks({ status: "waiting", waitingFor: "approval", limit: "10" });
  if (tasks.length === 0) return { body: fromOwnHtml("Nothing waits for approval.") };
  const list = tasks.map(taskLine).join("\n");
  return { body: fromOwnHtml(`${list}\n\nLook at one with /task &lt;id&gt;, or /${verdict} &lt;id&gt;.`) };
}

export async function answerAction(
  { kit, update, command, text }: CommandCall,
  action: "cancel" | "retry",
): Promise<Answer> {
  const wanted = readTaskId(text);
  if (wanted === null) return usage(`/${action} &lt;id&gt;`);
  const reason = wanted.rest === "" ? `${command.sender.name} in Telegram` : wanted.rest;
  try {
    const userKey = String(command.sender.id);
    const task = await actOnce(kit, update.updateId, { action, taskId: wanted.id, userKey, body: { reason } });
    return { body: fromOwnHtml(taskLine(task)) };
  } catch (error) {
    if (!(error instanceof CallError) || error.isPassing) throw error;
    return { body: fromOwnHtml(quote(error.message)) };
  }
}

function usage(text: string): Answer {
  return { body: fromOwnHtml(`Use it so: ${text}`) };
}

function absent(id: string): Answer {
  return { body: fromOwnHtml(`There is no task <code>${id}</code>.`) };
}
