/** A message on its way out, as the outbox keeps it. */
import { escapeHtml, fromText, maxMessageLength, type Rendered, type Run, render, splitRuns } from "./rich-text.ts";

export type Button = { text: string; token: string } | { text: string; url: string };

export type MessageBody = Rendered & {
  /** number of the message that it answers */
  replyTo?: number;
  /** the message that it follows, by its slot */
  replySlot?: string;
  /** the phone stays quiet */
  isSilent?: boolean;
  buttons?: Button[][];
  /** opens the answer field under it */
  asksReply?: boolean;
  document?: { name: string; content: string };
};

/** More parts than these leave as a file. */
const mostParts = 4;
const leadLength = 1_500;

/** The messages of a text: in parts when it is long, the beginning and a file when it is longer. `last` goes on the last one. */
export function toMessages(runs: Run[], fileName: string, last: Partial<MessageBody> = {}): MessageBody[] {
  const parts = splitRuns(runs).map(render);
  if (parts.length === 0) return [{ ...toBody("(nothing)"), ...last }];
  if (parts.length <= mostParts)
    return parts.map((part, at) => (at === parts.length - 1 ? { ...part, ...last } : part));
  return toFile(runs, fileName, last);
}

/** The beginning as a message, all of it as a file. */
export function toFile(runs: Run[], fileName: string, last: Partial<MessageBody> = {}): MessageBody[] {
  const content = runs.map(({ text }) => text).join("");
  const [lead = []] = splitRuns(runs, leadLength);
  const note = `… the whole text (${content.length} characters) is in the file.`;
  return [
    render([...lead, { text: `\n\n${note}`, tags: ["i"] }]),
    { html: "", plain: "", document: { name: fileName, content }, ...last },
  ];
}

/** HTML that we wrote ourselves; what comes from elsewhere must have gone through `escape`. */
export function fromOwnHtml(html: string): Rendered {
  const plain = html
    .replaceAll(/<[^<>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
  return { html, plain };
}

/** A plain text as a message; of one that is too long the rest is left out. */
export function toBody(text: string): MessageBody {
  const [first = []] = splitRuns(fromText(text), maxMessageLength - 1);
  const body = render(first);
  return body.plain.length < text.trimEnd().length && body.plain.length > maxMessageLength - 200
    ? { html: `${body.html}…`, plain: `${body.plain}…` }
    : body;
}

const again = "↻ Sent again, because nobody could tell whether it had arrived.";

/** The same message once more, when an earlier attempt may have arrived. */
export function asRepeat(body: MessageBody): MessageBody {
  const isRoomy = body.plain.length + again.length + 1 <= maxMessageLength;
  return isRoomy ? { ...body, html: `<i>${again}</i>\n${body.html}`, plain: `${again}\n${body.plain}` } : body;
}

/** A text of somebody else inside our HTML, shortened so that the message stays a message. */
export function quote(text: string, most = 300): string {
  const clean = text.toWellFormed().replaceAll("\u0000", "");
  return escapeHtml(
    clean.length > most
      ? `${clean
          .slice(0, most)
          .toWellFormed()
          .replace(/\ufffd$/, "")}…`
      : clean,
  );
}
