/** What people can type. */
export const commands = [
  { command: "help", description: "What this bot can do" },
  { command: "status", description: "How the fleet is" },
  { command: "tasks", description: "The latest tasks; /tasks failed, /tasks waiting" },
  { command: "task", description: "One task: /task <id>" },
  { command: "new_task", description: "A new task from words: /new_task <text>" },
  { command: "new", description: "A task of a type: /new <type> <JSON or text>" },
  { command: "approve", description: "Approve a task: /approve <id>" },
  { command: "reject", description: "Reject a task: /reject <id> <why>" },
  { command: "cancel", description: "Cancel a task: /cancel <id>" },
  { command: "retry", description: "Run an ended task again: /retry <id>" },
  { command: "findings", description: "What the watcher found" },
  { command: "deploys", description: "How the services on Render are" },
  { command: "logs", description: "Log lines of a trace: /logs <trace id>" },
  { command: "mute", description: "No alerts here for a while: /mute 2h, /mute off" },
  { command: "whoami", description: "Who you are to this bot" },
] as const;

export type CommandName = (typeof commands)[number]["command"] | "start";

export function isCommand(name: string): name is CommandName {
  return name === "start" || commands.some(({ command }) => command === name);
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The task's id and what stands after it; null when the first word is no id. */
export function readTaskId(text: string): { id: string; rest: string } | null {
  const [first = "", ...rest] = text.split(/\s+/);
  return uuid.test(first) ? { id: first.toLowerCase(), rest: rest.join(" ") } : null;
}

/** `<type> <JSON or text>`: an object or list is the payload itself, anything else its `text`. Null without a type. */
export function readNewTask(text: string): { type: string; payload: unknown } | null {
  const [, type = "", rest = ""] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?:\s+(.*))?$/s.exec(text.trim()) ?? [];
  if (type === "") return null;
  if (rest === "") return { type, payload: {} };
  return { type, payload: /^[[{]/.test(rest) ? (readJson(rest) ?? { text: rest }) : { text: rest } };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const units: Record<string, number> = { m: 60, h: 3_600, d: 86_400 };
const usualMute = 3_600;
const longestMute = 30 * 86_400;

/** Seconds of `90m`, `2h`, `1d`; 0 for `off`; null for anything else. Nothing means an hour. */
export function readMute(text: string): number | null {
  if (text === "") return usualMute;
  if (/^(?:off|0)$/i.test(text)) return 0;
  const [, count = "", unit = ""] = /^(\d{1,4})\s*([mhd])$/i.exec(text) ?? [];
  const seconds = Number(count) * (units[unit.toLowerCase()] ?? 0);
  return seconds > 0 && seconds <= longestMute ? seconds : null;
}
