/** Telegram's HTML, read as strictly as Telegram reads it. */

export class EntityError extends Error {}

const plainTags = [
  "b",
  "strong",
  "i",
  "em",
  "u",
  "ins",
  "s",
  "strike",
  "del",
  "code",
  "pre",
  "blockquote",
  "tg-spoiler",
];
const named: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"' };

type Open = { tag: string; offset: number };

/**
 * The text that people read.
 *
 * @throws EntityError as Telegram says it
 */
export function readHtml(html: string): string {
  const open: Open[] = [];
  let text = "";
  let at = 0;
  while (at < html.length) {
    const rest = html.slice(at);
    if (rest.startsWith("<")) at += readTag(rest, at, open);
    else if (rest.startsWith("&")) {
      const [whole, char] = readEntity(rest);
      text += char;
      at += whole.length;
    } else {
      const [run = ""] = /^[^<&]+/.exec(rest) ?? [];
      text += run;
      at += run.length;
    }
  }
  const last = open.at(-1);
  if (last) throw new EntityError(`Can't find end tag corresponding to start tag "${last.tag}"`);
  return text;
}

function readEntity(rest: string): [string, string] {
  const found = /^&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/i.exec(rest);
  if (!found) return ["&", "&"];
  const [whole, decimal, hex, name] = found;
  if (name !== undefined) {
    const char = named[name];
    if (char === undefined) throw new EntityError(`Unsupported entity "${whole}"`);
    return [whole, char];
  }
  return [whole, String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex ?? "0", 16))];
}

function readTag(rest: string, at: number, open: Open[]): number {
  const end = rest.indexOf(">");
  if (end === -1) throw new EntityError(`Unclosed start tag at byte offset ${at}`);
  const inside = rest.slice(1, end);
  if (inside.startsWith("/")) closeTag(inside.slice(1).trim().toLowerCase(), at, open);
  else openTag(inside, at, open);
  return end + 1;
}

function closeTag(tag: string, at: number, open: Open[]): void {
  const last = open.pop();
  if (!last) throw new EntityError(`Unexpected end tag at byte offset ${at}`);
  if (last.tag !== tag) {
    throw new EntityError(`Unmatched end tag at byte offset ${at}, expected "</${last.tag}>", found "</${tag}>"`);
  }
}

function openTag(inside: string, at: number, open: Open[]): void {
  const [, tag = "", attributes = ""] = /^([a-z][a-z0-9-]*)((?:\s.*)?)$/is.exec(inside) ?? [];
  const name = tag.toLowerCase();
  const isRight =
    (plainTags.includes(name) && attributes.trim() === "") ||
    (name === "blockquote" && attributes.trim() === "expandable") ||
    (name === "span" && /^\s+class="tg-spoiler"\s*$/.test(attributes)) ||
    (name === "code" && /^\s+class="language-[\w+#.-]+"\s*$/.test(attributes)) ||
    (name === "a" && /^\s+href="[^"<>]*"\s*$/.test(attributes));
  if (!isRight) throw new EntityError(`Unsupported start tag "${name}" at byte offset ${at}`);
  open.push({ tag: name, offset: at });
}
