/** What the Telegram stand-in remembers: chats with their messages, and the buttons that were pressed. */
import { EntityError, readHtml } from "./telegram-html.ts";

export type Person = { id: number; first_name: string; username?: string; is_bot?: boolean };

export type Button = { text: string; url?: string; callback_data?: string };
export type Keyboard = { inline_keyboard: Button[][] };

export type ShownMessage = {
  messageId: number;
  chatId: number;
  threadId: number | null;
  from: "bot" | number;
  /** as people read it */
  text: string;
  parseMode: string | null;
  replyTo: number | null;
  isSilent: boolean;
  keyboard: Keyboard | null;
  document: { name: string; content: string } | null;
  edits: number;
  /** every text that it has had */
  history: string[];
  at: number;
};

export type PressedQuery = { id: string; chatId: number; userId: number; answer: string | null; isAnswered: boolean };

/** An answer with `ok: false`. */
export class Refusal extends Error {
  readonly code: number;
  readonly parameters: { retry_after?: number; migrate_to_chat_id?: number } | undefined;
  constructor(code: number, message: string, parameters?: Refusal["parameters"]) {
    super(message);
    this.code = code;
    this.parameters = parameters;
  }
}

const bad = (message: string) => new Refusal(400, `Bad Request: ${message}`);

type Params = Record<string, unknown>;
type Reply = { message_id?: number; allow_sending_without_reply?: boolean };
type Upload = { name: string; content: string };

export class Chats {
  readonly messages: ShownMessage[] = [];
  readonly queries = new Map<string, PressedQuery>();
  /** chats that refuse the bot, and why */
  readonly closed = new Map<number, Refusal>();
  readonly #bot: Person;

  constructor(bot: Person) {
    this.#bot = bot;
  }

  add(message: Omit<ShownMessage, "messageId" | "edits" | "history" | "at">): ShownMessage {
    const messageId = this.messages.length + 1;
    const added = { ...message, messageId, edits: 0, history: [message.text], at: Date.now() };
    this.messages.push(added);
    return added;
  }

  /** Does one of the calls about chats. @throws Refusal */
  call(method: string, params: Params): unknown {
    switch (method) {
      case "sendMessage":
        return this.#send(params, { text: readText(params, params.text, 4_096), document: null });
      case "sendDocument":
        return this.#sendDocument(params);
      case "sendChatAction":
        this.#findPlace(params);
        return true;
      case "editMessageText":
        return this.#edit(params, readText(params, params.text, 4_096));
      case "editMessageReplyMarkup":
        return this.#edit(params, null);
      case "answerCallbackQuery":
        return this.#answer(params);
      default:
        throw new Refusal(404, "Not Found: method not found");
    }
  }

  #findPlace(params: Params): { chatId: number; threadId: number | null } {
    if (typeof params.chat_id !== "number") throw bad("chat not found");
    const refusal = this.closed.get(params.chat_id);
    if (refusal) throw refusal;
    if (params.message_thread_id === 1) throw bad("message thread not found");
    return { chatId: params.chat_id, threadId: (params.message_thread_id as number | undefined) ?? null };
  }

  #find(chat: unknown, message: unknown): ShownMessage | undefined {
    return this.messages.find(({ chatId, messageId }) => chatId === chat && messageId === message);
  }

  #findReply(chatId: number, reply: Reply | undefined): number | null {
    if (!reply) return null;
    const found = this.#find(chatId, reply.message_id);
    if (!found && !reply.allow_sending_without_reply) throw bad("message to be replied not found");
    return found?.messageId ?? null;
  }

  #send(params: Params, content: { text: string; document: Upload | null }): object {
    const place = this.#findPlace(params);
    const sent = this.add({
      ...place,
      from: "bot",
      ...content,
      parseMode: (params.parse_mode as string | undefined) ?? null,
      replyTo: this.#findReply(place.chatId, params.reply_parameters as Reply | undefined),
      isSilent: params.disable_notification === true,
      keyboard: readKeyboard(params.reply_markup),
    });
    return toMessage(sent, this.#bot);
  }

  #sendDocument(params: Params): object {
    const document = params.document as Upload;
    if (document.content === "") throw bad("file must be non-empty");
    const caption = params.caption === undefined ? "" : readText(params, params.caption, 1_024);
    return this.#send(params, { text: caption, document });
  }

  /** @param text null leaves it as it is */
  #edit(params: Params, text: string | null): object {
    this.#findPlace(params);
    const message = this.#find(params.chat_id, params.message_id);
    if (!message) throw bad("message to edit not found");
    if (message.from !== "bot") throw bad("message can't be edited");
    const next = { text: text ?? message.text, keyboard: readKeyboard(params.reply_markup) };
    if (next.text === message.text && JSON.stringify(next.keyboard) === JSON.stringify(message.keyboard)) {
      const same =
        "specified new message content and reply markup are exactly the same as a current content and reply markup of the message";
      throw bad(`message is not modified: ${same}`);
    }
    Object.assign(message, next, { edits: message.edits + 1 });
    message.history.push(next.text);
    return toMessage(message, this.#bot);
  }

  #answer(params: Params): boolean {
    const query = this.queries.get(params.callback_query_id as string);
    if (!query || query.isAnswered) {
      throw bad("query is too old and response timeout expired or query ID is invalid");
    }
    if (typeof params.text === "string" && params.text.length > 200) throw bad("MESSAGE_TOO_LONG");
    Object.assign(query, { isAnswered: true, answer: params.text ?? null });
    return true;
  }
}

function readText(params: Params, source: unknown, most: number): string {
  const text = params.parse_mode === undefined ? String(source) : readMarkup(params.parse_mode, String(source));
  if (text.trim() === "") throw bad("message text is empty");
  if (text.length > most) throw bad(most === 4_096 ? "message is too long" : "message caption is too long");
  return text;
}

function readMarkup(mode: unknown, source: string): string {
  if (mode !== "HTML") throw bad(`unsupported parse_mode`);
  try {
    return readHtml(source);
  } catch (error) {
    if (error instanceof EntityError) throw bad(`can't parse entities: ${error.message}`);
    throw error;
  }
}

function readKeyboard(markup: unknown): Keyboard | null {
  if (typeof markup !== "object" || markup === null || !("inline_keyboard" in markup)) return null;
  const keyboard = markup as Keyboard;
  for (const button of keyboard.inline_keyboard.flat()) {
    const size = Buffer.byteLength(button.callback_data ?? "");
    if (button.callback_data !== undefined && (size < 1 || size > 64)) throw bad("BUTTON_DATA_INVALID");
    if (button.callback_data === undefined && button.url === undefined) throw bad("BUTTON_TYPE_INVALID");
  }
  return keyboard.inline_keyboard.flat().length === 0 ? null : keyboard;
}

export function toChat(chatId: number): object {
  return chatId > 0
    ? { id: chatId, type: "private", first_name: "Person" }
    : { id: chatId, type: "supergroup", title: "Group" };
}

export function toMessage(message: ShownMessage, bot: Person): object {
  return {
    message_id: message.messageId,
    date: Math.floor(message.at / 1_000),
    chat: toChat(message.chatId),
    from: message.from === "bot" ? bot : { id: message.from, is_bot: false, first_name: `Person ${message.from}` },
    text: message.text,
    ...(message.threadId !== null && { message_thread_id: message.threadId, is_topic_message: true }),
    ...(message.keyboard && { reply_markup: message.keyboard }),
  };
}
