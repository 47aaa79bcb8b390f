/** What operators are to be told, and how many messages that may take. */
import type { ButtonAction } from "./button.ts";
import { fromOwnHtml, quote } from "./message.ts";
import { withoutBold } from "./rich-text.ts";

export const severities = ["info", "warning", "critical"] as const;
export type Severity = (typeof severities)[number];

export type NoticeButton = { text: string; url: string } | { text: string; action: ButtonAction };

export type NoticeBody = {
  text: string;
  severity: Severity;
  /** what kind of thing happened, such as `task.failed` */
  kind: string | null;
  /** notices of one incident are one thread */
  incident: string | null;
  taskId: string | null;
  /** the version of the task that buttons are bound to */
  version: number | null;
  buttons: NoticeButton[];
  /** chats that are told; null: all operators */
  chats: number[] | null;
  /** the chat that knows it already */
  exceptChat: number | null;
  isSilent: boolean;
  /** the text is HTML of our own; what others tell is text */
  isHtml?: boolean;
};

/** `at`: when it was stored, by the database's clock. */
export type Notice = { id: string; seq: number; body: NoticeBody; at: string };

export const icons: Record<Severity, string> = { info: "🔵", warning: "🟠", critical: "🔴" };

/** Notices with one key belong together. */
export function groupKeyOf({ incident }: NoticeBody, textHash: string): string {
  return incident === null ? `same:${textHash}` : `incident:${incident}`;
}

/** How long a group takes more in: a repeat after that is news again. */
export const groupSeconds = 3_600;

/**
 * The alerts of one chat. Each has a message of its own as long as there are tokens; then they are collected on pages, which are edited
 * as they fill; what does not fit on the last page goes into a file, which comes when the storm is over, or before long. So a storm of any
 * size is a handful of messages, and nothing is lost.
 *
 * In a minute, at most: nine messages of their own and two for tokens that came back, four pages, and five files, because between two
 * files lies a rest. Twenty, however the alerts come.
 */
export type Storm = {
  tokens: number;
  /** when the last alert came */
  at: string;
  /** of the pages of this storm, from 1; 0 when there is none (yet, or because the last minute had enough of them) */
  page: number;
  lines: string[];
  length: number;
  /** the numbers of the alerts on the pages and in the file */
  from: number;
  to: number;
  /** those that only the file holds, or holds whole */
  inFile: number;
  /** when the first of them came */
  fileSince?: string;
  /** when the pages of the last minute were begun */
  opened?: string[];
  /** until when its pages are held back, and nothing of it ends */
  heldUntil?: string;
};

const mostTokens = 5;
const tokenMs = 30_000;
const mostDebt = 4;
const pageLength = 3_400;
const lineLength = 700;
const mostPages = 9;
const mostPagesAMinute = 4;
/** Somewhat more than a minute, so that no minute sees the end of one window and the beginning of the next. */
const pagesWindowMs = 90_000;
/** Nobody waits longer for a file because alerts keep coming. */
const fileWaitMs = 300_000;
/** After so long without an alert a storm is over. */
const stormRestMs = 15_000;

export type StormPlan = { kind: "own"; storm: Storm } | { kind: "page"; storm: Storm };

/** What is critical or wants a decision has a message of its own somewhat longer: a page has neither sound nor buttons. */
export function isPressing({ body }: Pick<Notice, "body">): boolean {
  return body.severity === "critical" || body.buttons.some((button) => "action" in button);
}

const calm: Omit<Storm, "at"> = { tokens: mostTokens, page: 0, lines: [], length: 0, from: 0, to: 0, inFile: 0 };

/** Of a chat in which nothing has happened yet. */
export function calmStorm({ at }: Pick<Notice, "at">): Storm {
  return { ...calm, at };
}

export function planStorm(storm: Storm | null, notice: Notice): StormPlan {
  const before = storm ?? calmStorm(notice);
  const gained = Math.max(0, Date.parse(notice.at) - Date.parse(before.at)) / tokenMs;
  const tokens = Math.min(mostTokens, before.tokens + gained);
  const now = { ...before, at: notice.at, tokens };
  if (tokens >= (isPressing(notice) ? 1 - mostDebt : 1)) return { kind: "own", storm: { ...now, tokens: tokens - 1 } };
  const isFirst = before.page === 0 && before.inFile === 0;
  const from = isFirst ? notice.seq : before.from;
  return { kind: "page", storm: addLine({ ...now, from, to: notice.seq }, toLine(notice)) };
}

function addLine(storm: Storm, { html, isCut }: { html: string; isCut: boolean }): Storm {
  const { at, page, lines, length } = storm;
  const opened = (storm.opened ?? []).filter((time) => Date.parse(at) - Date.parse(time) < pagesWindowMs);
  const isFull = page === 0 || length + html.length + 1 > pageLength;
  const isOnPage = !isFull || (page < mostPages && opened.length < mostPagesAMinute);
  const owed = isCut || !isOnPage ? { inFile: storm.inFile + 1, fileSince: storm.fileSince ?? at } : {};
  if (!isOnPage) return { ...storm, opened, ...owed };
  if (!isFull) return { ...storm, opened, ...owed, lines: [...lines, html], length: length + html.length + 1 };
  return { ...storm, ...owed, opened: [...opened, at], page: page + 1, lines: [html], length: html.length };
}

function toLine({ body, at }: Notice): { html: string; isCut: boolean } {
  const task = body.taskId === null ? "" : ` <code>${body.taskId}</code>`;
  const text = textOf(body);
  const html = `${icons[body.severity]} ${at.slice(11, 19)} ${quote(text, lineLength)}${task}`;
  return { html, isCut: text.length > lineLength };
}

function textOf({ text, isHtml }: NoticeBody): string {
  return isHtml === true ? fromOwnHtml(text).plain.replaceAll("\n", " ") : withoutBold(text);
}

export function renderPage({ page, lines, inFile }: Storm): string {
  const more = inFile > 0 ? `\n<i>… and ${inFile} more, or longer, which will come in a file.</i>` : "";
  return `<b>Many alerts (page ${page})</b>\n${lines.join("\n")}${more}`;
}

/**
 * Null while the storm goes on; afterwards what is left of it, and whether a file is owed.
 *
 * @param isBehind alerts wait that have not been placed: how long ago the last placed one came says nothing then
 */
export function planCalm(
  storm: Storm,
  nowMs: number,
  isBehind = false,
): { storm: Storm | null; owesFile: boolean } | null {
  if (storm.heldUntil !== undefined && Date.parse(storm.heldUntil) > nowMs) return null;
  const restedMs = nowMs - Date.parse(storm.at);
  const isLong = storm.fileSince !== undefined && nowMs - Date.parse(storm.fileSince) >= fileWaitMs;
  if ((isBehind || restedMs < stormRestMs) && !isLong) return null;
  const isForgotten = restedMs >= mostTokens * tokenMs;
  const { tokens, at, opened = [] } = storm;
  return { storm: isForgotten ? null : { ...calm, tokens, at, opened }, owesFile: storm.inFile > 0 };
}

/** Everything that was told in a storm, a paragraph an alert. */
export function toStormFile(notices: readonly Notice[]): string {
  return notices
    .map(({ body, at }) => {
      const task = body.taskId === null ? "" : `\n  task ${body.taskId}`;
      return `${at} ${body.severity}${body.kind === null ? "" : ` ${body.kind}`}${task}\n  ${textOf(body).replaceAll("\n", "\n  ")}`;
    })
    .join("\n\n");
}
