/**
 * Text with formatting, as runs of plain text that know their tags: it can be cut anywhere, and every piece is valid HTML of its own.
 * What cannot be read as formatting is text, so nothing that somebody wrote can make Telegram refuse a message.
 */

export type Run = { text: string; tags: readonly string[] };

/** One message: its HTML, and the same without formatting for when Telegram refuses that. */
export type Rendered = { html: string; plain: string };

/** Telegram counts UTF-16 units after the tags are gone. */
export const maxMessageLength = 4_096;

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

export function render(runs: readonly Run[]): Rendered {
  const html = runs.map(({ text, tags }) => wrap(escapeHtml(text), tags)).join("");
  return { html, plain: plainOf(runs) };
}

function wrap(html: string, tags: readonly string[]): string {
  return tags.reduceRight((inside, tag) => `<${tag}>${inside}</${nameOf(tag)}>`, html);
}

function nameOf(tag: string): string {
  return tag.split(" ")[0] ?? tag;
}

function plainOf(runs: readonly Run[]): string {
  return runs.map(({ text }) => text).join("");
}

/** Longer texts leave as files, which have no formatting; and looking for it in them would take long. */
const mostFormatted = 20_000;

/** Text as people and models write it: fenced and inline code, **bold** and links of Markdown become formatting, all else stays. */
export function fromText(text: string): Run[] {
  const clean = text.toWellFormed().replaceAll("\r\n", "\n").replaceAll("\u0000", "");
  if (clean.length > mostFormatted) return [{ text: clean, tags: [] }];
  return clean.split(/(^```[^\n]*\n.*?^```[^\S\n]*$)/ms).flatMap((part) => fromFence(part) ?? fromInline(part));
}

function fromFence(part: string): Run[] | null {
  const found = /^```([\w+#.-]{0,30})[^\n]*\n(.*?)\n?```[^\S\n]*$/s.exec(part);
  if (!found) return null;
  const [, language = "", code = ""] = found;
  const tags = language === "" ? ["pre"] : ["pre", `code class="language-${language}"`];
  return code === "" ? [] : [{ text: code, tags }];
}

/** Nothing inside of these may hold a line break: a lone sign in prose is no formatting. */
const inline = /(`[^`\n]{1,500}`|\*\*[^*\n]{1,500}\*\*|\[[^\][\n]{1,300}\]\(https?:\/\/[^\s()<>"]{1,500}\))/;

function fromInline(part: string): Run[] {
  return part
    .split(inline)
    .filter((piece) => piece !== "")
    .map(toInlineRun);
}

function toInlineRun(piece: string): Run {
  const link = /^\[([^\][\n]+)\]\((https?:\/\/[^\s()<>"]+)\)$/.exec(piece);
  if (link) return { text: link[1] ?? "", tags: [`a href="${escapeHtml(link[2] ?? "")}"`] };
  if (/^`[^`\n]+`$/.test(piece)) return { text: piece.slice(1, -1), tags: ["code"] };
  if (/^\*\*[^*\n]+\*\*$/.test(piece)) return { text: piece.slice(2, -2), tags: ["b"] };
  return { text: piece, tags: [] };
}

/** For a line among others, which is not formatted: bold loses its signs; a link keeps its address, and code its signs. */
export function withoutBold(text: string): string {
  return text.replace(/\*\*([^*\n]{1,500})\*\*/g, "$1");
}

const knownTags = new Set([
  "b",
  "strong",
  "i",
  "em",
  "u",
  "ins",
  "s",
  "del",
  "code",
  "pre",
  "blockquote",
  "tg-spoiler",
]);
const entities: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"' };

/** Telegram's HTML as an agent sent it; null when it is not right, and then it is text. */
export function fromHtml(html: string): Run[] | null {
  const runs: Run[] = [];
  const open: string[] = [];
  for (const piece of html.toWellFormed().split(/(<[^<>]*>)/)) {
    if (piece === "") continue;
    if (!piece.startsWith("<") || !piece.endsWith(">")) {
      const text = unescapeHtml(piece);
      if (text === null) return null;
      runs.push({ text, tags: [...open] });
    } else if (!turn(piece.slice(1, -1).trim(), open)) return null;
  }
  return open.length === 0 ? runs : null;
}

/** Opens or closes a tag; false when that is not allowed there. */
function turn(tag: string, open: string[]): boolean {
  if (tag.startsWith("/")) return nameOf(open.pop() ?? "") === tag.slice(1).toLowerCase();
  const link = /^a\s+href="(https?:\/\/[^"\s]{1,500})"$/i.exec(tag);
  const name = link ? `a href="${link[1]}"` : tag.toLowerCase();
  open.push(name);
  return link !== null || knownTags.has(name);
}

/** Null when a sign stands there that had to be escaped. */
function unescapeHtml(text: string): string | null {
  if (/[<>]|&(?!(?:lt|gt|amp|quot|#\d{1,6});)/.test(text)) return null;
  return text.replaceAll(/&(?:(\w+)|#(\d+));/g, (_whole, name: string | undefined, code: string | undefined) =>
    name === undefined ? String.fromCodePoint(Math.min(Number(code), 0x10ffff)) : (entities[name] ?? ""),
  );
}

/**
 * Pieces of at most `limit` units: cut at a blank line, else at the end of a line, else at a space, and only then anywhere, but never
 * inside a character. The white space at a cut is dropped, and so are pieces that would be empty.
 */
export function splitRuns(runs: readonly Run[], limit: number = maxMessageLength): Run[][] {
  const text = plainOf(runs);
  const pieces: Run[][] = [];
  for (let at = 0; at < text.length; ) {
    const end = findCut(text, at, limit);
    const piece = slice(runs, at, end);
    if (plainOf(piece).trim() !== "") pieces.push(piece);
    at = end;
    if (end < text.length) at += /^(?:[^\S\n]*\n)*/.exec(text.slice(end))?.[0].length ?? 0;
  }
  return pieces;
}

function findCut(text: string, at: number, limit: number): number {
  if (text.length - at <= limit) return text.length;
  const window = text.slice(at, at + limit + 1);
  for (const [sign, least] of [
    ["\n\n", limit / 2],
    ["\n", limit / 3],
    [" ", limit / 3],
  ] as const) {
    const found = window.lastIndexOf(sign, limit - 1);
    if (found >= least) return at + found + (sign === " " ? 1 : 0);
  }
  const end = at + limit;
  return isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function slice(runs: readonly Run[], from: number, to: number): Run[] {
  let start = 0;
  return runs.flatMap((run) => {
    const text = run.text.slice(Math.max(0, from - start), Math.max(0, to - start));
    start += run.text.length;
    return text === "" ? [] : [{ ...run, text }];
  });
}
