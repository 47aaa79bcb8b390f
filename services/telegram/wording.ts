/** What the bot says about tasks. Everything that somebody else wrote goes through `quote`. */
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task, TaskError } from "@signalbox/common/contracts/task.ts";
import { quote } from "./message.ts";
import { escapeHtml, fromHtml, fromText, type Run } from "./rich-text.ts";

const statusIcons: Record<Task["status"], string> = {
  queued: "⏳",
  running: "▶️",
  waiting: "✋",
  completed: "✅",
  failed: "❌",
  canceled: "✖️",
};

export function taskLine({ id, type, status, createdAt }: Task): string {
  return `${statusIcons[status]} <b>${escapeHtml(type)}</b> ${createdAt.slice(11, 16)} <code>${id}</code>`;
}

export function describeTask(task: Task): string {
  const { status, waitingFor, progress, error, version, attempt, maxAttempts } = task;
  const waiting = waitingFor === null ? "" : ` for ${waitingFor}`;
  return lines([
    `${statusIcons[status]} <b>${escapeHtml(task.type)}</b> ${status}${waiting}`,
    `<code>${task.id}</code>`,
    `version ${version}, attempt ${attempt} of ${maxAttempts}, made ${task.createdAt.slice(0, 16).replace("T", " ")} by ${escapeHtml(task.source)}`,
    progress && !isEnded(task) ? progressLine(progress) : null,
    error && describeError(error),
    payloadOf(task.payload),
    task.result === null ? null : `Result: <code>${quote(textOfResult(task.result).text, 800)}</code>`,
    `Trace: <code>${task.traceId}</code>`,
  ]);
}

function isEnded({ status }: Task): boolean {
  return status === "completed" || status === "failed" || status === "canceled";
}

function lines(parts: (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== "").join("\n");
}

export function progressLine({ message, percent }: { message: string; percent: number | null }): string {
  const share = percent === null ? "" : ` ${bar(percent)} ${Math.round(percent)} %`;
  return `${quote(message, 500)}${share}`;
}

function bar(percent: number): string {
  const full = Math.round(percent / 10);
  return "▰".repeat(full) + "▱".repeat(10 - full);
}

function describeError({ code, message }: TaskError): string {
  return `<b>${escapeHtml(code)}</b>: ${quote(message, 1_000)}`;
}

function payloadOf(payload: unknown): string | null {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload, null, 1);
  return text === undefined || text === "{}" ? null : `<pre>${quote(text, 900)}</pre>`;
}

/** What somebody has to decide about, as it is at this version. */
export function describeApproval(task: Task): string {
  const { approval } = task;
  return lines([
    `✋ <b>${escapeHtml(task.type)}</b> wants your approval`,
    `<code>${task.id}</code> · version ${task.version}`,
    approval?.reason ? quote(approval.reason, 500) : null,
    approval?.prompt ? quote(approval.prompt, 1_000) : null,
    payloadOf(task.payload),
    approval?.expiresAt ? `Expires ${approval.expiresAt.slice(0, 16).replace("T", " ")} UTC` : null,
  ]);
}

/** How a decision ended; null while it is open. */
export function describeDecision(task: Task, event: Pick<TaskEvent, "kind" | "actor" | "data"> | null): string | null {
  if (task.status === "waiting") return null;
  const note = typeof event?.data.note === "string" ? event.data.note : null;
  const who = quote(note ?? task.approval?.decidedBy ?? event?.actor ?? "nobody", 200);
  if (event?.kind === "approved") return `✅ Approved: ${who}`;
  if (event?.kind === "rejected") return `✋ Rejected: ${who}`;
  if (task.error?.code === "approval_expired") return "⌛ Nobody decided in time.";
  return `${statusIcons[task.status]} Now ${task.status}.`;
}

const shownChanges = 6;

/** What happened to a task after the version that somebody saw: a line a change. */
export function describeChanges(events: readonly TaskEvent[], seenVersion: number): string[] {
  const since = events.filter(
    ({ version, kind }) => version > seenVersion && kind !== "side_effect" && kind !== "note",
  );
  return since.flatMap(describeChange).slice(-shownChanges);
}

function describeChange({ kind, actor, data }: TaskEvent): string[] {
  const by = ` (${quote(typeof data.note === "string" ? data.note : actor, 100)})`;
  if (kind !== "patched") return [`${kind.replaceAll("_", " ")}${by}`];
  const changes = Object.entries((data.changes ?? {}) as Record<string, { from?: unknown; to?: unknown }>);
  return changes.map(([field, { from, to }]) => {
    const [was, is] = [from, to].map((value) => quote(JSON.stringify(value ?? null), 120));
    return `<b>${escapeHtml(field)}</b>: ${was} → ${is}${by}`;
  });
}

export function describeStale(task: Task, changes: readonly string[]): string {
  const changed = changes.length > 0 ? changes.map((line) => `• ${line}`).join("\n") : "• its version";
  return `⚠️ <b>Changed since it was shown; nothing was decided.</b>\n${changed}\n\n${
    task.status === "waiting" && task.waitingFor === "approval" ? describeApproval(task) : describeTask(task)
  }`;
}

/** What an agent answered, as text. */
export function textOfResult(result: unknown): { text: string; isHtml: boolean; url: string | null } {
  if (typeof result === "string") return { text: result, isHtml: false, url: null };
  const { output, format, url, previewUrl, preview_url: preview } = toData(result);
  const link = [url, previewUrl, preview].find(isWebUrl) ?? null;
  if (typeof output === "string") return { text: output, isHtml: format === "html", url: link };
  const shown = output === undefined ? result : output;
  return { text: shown === null ? "Done." : JSON.stringify(shown, null, 2), isHtml: false, url: link };
}

function toData(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function isWebUrl(value: unknown): value is string {
  return typeof value === "string" && /^https?:\/\/[^\s"<>]{1,1000}$/.test(value);
}

/** The runs of an answer: what is not right as HTML is text. */
export function toAnswerRuns(result: unknown): Run[] {
  const { text, isHtml } = textOfResult(result);
  if (isHtml) return fromHtml(text) ?? [{ text, tags: [] }];
  return typeof toData(result).output === "string" || typeof result === "string"
    ? fromText(text)
    : [{ text, tags: ["pre"] }];
}

export function describeEnd(task: Task): string {
  const took = task.startedAt && task.finishedAt ? Date.parse(task.finishedAt) - Date.parse(task.startedAt) : null;
  return `${statusIcons[task.status]} ${task.status}${took === null ? "" : ` after ${describeMs(took)}`}`;
}

function describeMs(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  const seconds = Math.round(ms / 1_000);
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export function describeFailure({ error, status, id }: Task): string {
  const why = error ? describeError(error) : `It was ${status}.`;
  return `${statusIcons[status]} ${why}\n<code>${id}</code>`;
}
