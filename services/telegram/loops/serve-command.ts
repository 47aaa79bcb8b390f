import { createHash } from "node:crypto";
import { mostTries, readCode, refusals } from "../access.ts";
import { type CommandName, commands, isCommand, readMute, readNewTask } from "../command.ts";
import { fromOwnHtml, type MessageBody, quote, toBody } from "../message.ts";
import { escapeHtml } from "../rich-text.ts";
import type { NewButton } from "../store/buttons.ts";
import type { InboxUpdate } from "../store/inbox.ts";
import type { Signal } from "../update.ts";
import type { Kit } from "./kit.ts";
import { type Asker, startRun, startTask } from "./serve-message.ts";
import { answerDeploys, answerFindings, answerLogs, answerStatus } from "./serve-reading.ts";
import { answerAction, answerDecision, answerTask, answerTasks } from "./serve-task-command.ts";

export type Command = Extract<Signal, { kind: "command" }>;

/** What a command is answered with; null when the answer comes from elsewhere. */
export type Answer = { body: MessageBody; buttons?: NewButton[]; taskId?: string } | null;

/** `slot` names the answer, so that its buttons know their message. */
export type CommandCall = { kit: Kit; update: InboxUpdate; command: Command; text: string; slot: string };

type Serve = (call: CommandCall) => Promise<Answer> | Answer;

const served: Record<CommandName, Serve> = {
  start: () => html(`You are known here. ${helpText}`),
  help: () => html(helpText),
  status: answerStatus,
  tasks: answerTasks,
  task: answerTask,
  new_task: newTaskFromText,
  new: newTaskOfType,
  approve: (call) => answerDecision(call, "approve"),
  reject: (call) => answerDecision(call, "reject"),
  cancel: (call) => answerAction(call, "cancel"),
  retry: (call) => answerAction(call, "retry"),
  findings: answerFindings,
  deploys: answerDeploys,
  logs: answerLogs,
  mute,
  whoami,
};

const html = (text: string): Answer => ({ body: fromOwnHtml(text) });

const helpText = [
  "<b>Signalbox</b>",
  "Write to me and the fleet answers. Messages of one chat are answered in order.",
  "",
  ...commands.map(({ command, description }) => `/${command} ${escapeHtml(description)}`),
].join("\n");

export async function serveCommand(kit: Kit, update: InboxUpdate, command: Command): Promise<string> {
  const slot = `reply:${update.updateId}`;
  const { name, text } = command;
  const answer = isCommand(name)
    ? await served[name]({ kit, update, command, text, slot })
    : html(`There is no command /${escapeHtml(name)}; /help lists them.`);
  if (answer === null) return `/${name}`;
  const { chatId, threadId } = command.place;
  const { body, buttons = [], taskId = null } = answer;
  const message = { chatId, threadId, body: { ...body, replyTo: command.messageId }, slot, taskId };
  await kit.store.together(async (tables) => {
    await tables.insertButtons(buttons);
    await tables.enqueueMessages([{ ...message, dedupeKey: `update:${update.updateId}:reply` }]);
  });
  return `/${name}`;
}

/** Somebody unknown says /start with a code; null when there is no code in it. */
export async function startStranger(kit: Kit, update: InboxUpdate, command: Command): Promise<string | null> {
  const { sender, place, text } = command;
  if (text === "") return null;
  const code = readCode(text);
  const tries = await kit.store.countTry(`user:${sender.id}`);
  // The silence is the same for a right code: who guesses learns nothing.
  if (tries > mostTries) return "too many codes";
  const codeHash = createHash("sha256").update(text).digest();
  const isPaired = code !== null && (await kit.store.usePairing({ codeHash, userId: sender.id, name: sender.name }));
  const said = isPaired ? fromOwnHtml(`✅ Welcome, ${quote(sender.name)}.\n\n${helpText}`) : toBody(refusals.badCode);
  const body = { ...said, replyTo: command.messageId };
  const dedupeKey = `update:${update.updateId}:reply`;
  await kit.store.enqueueMessages([{ chatId: place.chatId, threadId: place.threadId, body, dedupeKey }]);
  if (isPaired) {
    await kit.store.closeChat({ chatId: place.chatId, because: null });
    kit.log.info({ userId: sender.id }, "somebody paired with the bot");
  }
  return isPaired ? "paired" : "a wrong code";
}

function askerOf({ command }: CommandCall): Asker {
  const { place, sender, messageId } = command;
  return { place, sender, messageId };
}

async function newTaskFromText(call: CommandCall): Promise<Answer> {
  const { kit, update, text } = call;
  if (text === "") return html("Say what it is: <code>/new_task translate the readme</code>");
  const { taskId } = await startRun(kit, update, askerOf(call), text);
  return taskId === null ? null : { ...started(taskId, call), taskId };
}

async function newTaskOfType(call: CommandCall): Promise<Answer> {
  const { kit, update, text } = call;
  const wanted = readNewTask(text);
  if (wanted === null)
    return html('Say which type: <code>/new echo {"text":"hello"}</code> or <code>/new echo hello</code>');
  const { taskId } = await startTask(kit, update, askerOf(call), wanted);
  return taskId === null ? null : { ...started(taskId, call), taskId };
}

function started(taskId: string, _call: CommandCall): { body: MessageBody } {
  return { body: { ...fromOwnHtml(`⏳ Task <code>${taskId}</code> is on its way.`), isSilent: true } };
}

async function mute({ kit, command, text }: CommandCall): Promise<Answer> {
  const seconds = readMute(text);
  if (seconds === null)
    return html(
      "Say how long: <code>/mute 30m</code>, <code>/mute 2h</code>, <code>/mute 1d</code> or <code>/mute off</code>",
    );
  await kit.store.together((tables) => tables.muteChat({ chatId: command.place.chatId, seconds }));
  if (seconds === 0) return html("🔔 Alerts come here again.");
  return html(
    `🔕 No alerts here for ${escapeHtml(text || "1h")}, critical ones excepted. They are kept, and come together afterwards.`,
  );
}

async function whoami({ kit, command }: CommandCall): Promise<Answer> {
  const { sender, place } = command;
  const isListed = kit.access.users.has(sender.id);
  return html(
    [
      `You are <b>${quote(sender.name)}</b>, user <code>${sender.id}</code>, ${isListed ? "listed in the settings" : "paired"}.`,
      `This chat is <code>${place.chatId}</code>${place.threadId === null ? "" : `, topic <code>${place.threadId}</code>`}.`,
    ].join("\n"),
  );
}
