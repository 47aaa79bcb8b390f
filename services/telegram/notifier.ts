/** Other ways to tell operators than Telegram: a channel takes texts, and says whether it did. */
import { fromOwnHtml } from "./message.ts";
import type { Notice } from "./notice.ts";

export type Told = { subject: string; text: string };

/** A channel that notices go out by. `tell` may be called again with the same notices: nobody knows what a lost answer meant. */
export type Notifier = {
  name: string;
  /** @throws NotifierError */
  tell(told: Told): Promise<void>;
  close(): Promise<void>;
};

/** `isFinal`: the same again would be refused again. */
export class NotifierError extends Error {
  readonly isFinal: boolean;
  constructor(message: string, isFinal: boolean) {
    super(message);
    this.name = "NotifierError";
    this.isFinal = isFinal;
  }
}

const mostText = 20_000;

/** Notices that came close together are one text, so that a storm is a few of them. */
export function toTold(notices: readonly Notice[]): Told {
  const texts = notices.map(({ body, at }) => {
    const plain = body.isHtml === true ? fromOwnHtml(body.text).plain : body.text;
    const task = body.taskId === null ? "" : `\n(task ${body.taskId})`;
    return `[${body.severity}] ${at.slice(0, 19).replace("T", " ")} UTC\n${plain}${task}`;
  });
  const [first = ""] = texts;
  const subject = notices.length === 1 ? (first.split("\n")[1] ?? "").slice(0, 120) : `${notices.length} notices`;
  return { subject: `Signalbox: ${subject}`, text: shorten(texts.join("\n\n")) };
}

function shorten(text: string): string {
  return text.length <= mostText ? text : `${text.slice(0, mostText).toWellFormed()}\n… and more.`;
}
