/** What an update of Telegram means to us. An update is anybody's data: every member is looked at before it is used. */

/** Where a message stands: a chat, in a forum also the topic. */
export type Place = { chatId: number; threadId: number | null; isPrivate: boolean };
export type Sender = { id: number; name: string };

export type Signal =
  | {
      kind: "message";
      place: Place;
      sender: Sender;
      messageId: number;
      text: string;
      replyTo: number | null;
      /** Said to the bot alone: in its personal chat, by its name, or as an answer to it. */
      isAddressed: boolean;
    }
  | {
      kind: "command";
      place: Place;
      sender: Sender;
      messageId: number;
      name: string;
      text: string;
      replyTo: number | null;
    }
  /** A message without words, such as a picture. */
  | { kind: "wordless"; place: Place; sender: Sender; messageId: number }
  | { kind: "press"; place: Place; sender: Sender; queryId: string; messageId: number; token: string }
  | { kind: "membership"; place: Place; isMember: boolean }
  | { kind: "moved"; from: number; to: number }
  | { kind: "nothing"; why: string };

type Data = Record<string, unknown>;

/**
 * @param update as Telegram sent it
 * @param botName the bot's user name without the @; null while it is not known
 */
export function readUpdate(update: unknown, botName: string | null): Signal {
  const data = toData(update);
  if (data.message !== undefined) return readMessage(toData(data.message), botName);
  if (data.callback_query !== undefined) return readPress(toData(data.callback_query));
  if (data.my_chat_member !== undefined) return readMembership(toData(data.my_chat_member));
  return nothing(data.edited_message === undefined ? "of a kind that is not used" : "an edit is not a new request");
}

/** The line that an update stands in: updates of one line are worked off in order, other lines go on beside it. */
export function lineOf(update: unknown): string {
  const { callback_query: query, message, edited_message: edited, my_chat_member: member } = toData(update);
  // A press must be answered within seconds, so it waits for nobody's message.
  if (query !== undefined) return `press:${String(toData(toData(query).from).id)}`;
  const found = toData(message ?? edited ?? member);
  return keyOf(toPlace(found));
}

/** The contract's conversation key: the chat, in a forum with its topic. */
export function keyOf({ chatId, threadId }: Pick<Place, "chatId" | "threadId">): string {
  return threadId === null ? String(chatId) : `${chatId}:${threadId}`;
}

/** Null when it is no update at all. */
export function updateIdOf(update: unknown): number | null {
  const { update_id: id } = toData(update);
  return Number.isSafeInteger(id) && (id as number) >= 0 ? (id as number) : null;
}

function readMessage(message: Data, botName: string | null): Signal {
  const place = toPlace(message);
  if (message.migrate_to_chat_id !== undefined) {
    return { kind: "moved", from: place.chatId, to: toId(message.migrate_to_chat_id) };
  }
  const sender = toSender(message.from);
  if (sender === null) return nothing("it has no human sender");
  const text = textOf(message);
  const answered = toData(message.reply_to_message);
  const common = { place, sender, messageId: toId(message.message_id) };
  if (text === null) return isService(message) ? nothing("a notice of the chat") : wordless(common);
  const replyTo = answered.message_id === undefined ? null : toId(answered.message_id);
  const command = readCommand(text);
  if (command) {
    return command.bot === null || isSame(command.bot, botName)
      ? { kind: "command", ...common, replyTo, name: command.name, text: command.text }
      : nothing("a command for another bot");
  }
  return readWords({ ...common, replyTo, text }, answered, botName);
}

type Said = Pick<Extract<Signal, { kind: "message" }>, "place" | "sender" | "messageId" | "text" | "replyTo">;

function readWords(said: Said, answered: Data, botName: string | null): Signal {
  const { place, text } = said;
  if (place.chatId === 0) return nothing("it stands in no chat");
  const isAddressed = place.isPrivate || isMentioned(text, botName) || isReplyTo(answered, botName);
  if (!isAddressed && isForOthers(text, answered)) return nothing("people talk among themselves");
  return { kind: "message", ...said, isAddressed };
}

function wordless(common: { place: Place; sender: Sender; messageId: number }): Signal {
  return common.place.isPrivate ? { kind: "wordless", ...common } : nothing("no words");
}

function readPress(query: Data): Signal {
  const sender = toSender(query.from);
  const { message, data, id } = query;
  if (sender === null || typeof id !== "string" || typeof data !== "string" || message === undefined) {
    return nothing("a press without button");
  }
  const shown = toData(message);
  return {
    kind: "press",
    place: toPlace(shown),
    sender,
    queryId: id,
    messageId: toId(shown.message_id),
    token: data,
  };
}

function readMembership(change: Data): Signal {
  const { status } = toData(change.new_chat_member);
  return { kind: "membership", place: toPlace(change), isMember: status !== "left" && status !== "kicked" };
}

/** `/name@bot text`; null for anything else. */
export function readCommand(text: string): { name: string; bot: string | null; text: string } | null {
  const found = /^\/([a-z0-9_]{1,32})(?:@([a-z0-9_]{1,64}))?(?:\s+(.*))?$/is.exec(text.trim());
  if (!found) return null;
  const [, name = "", bot = null, rest = ""] = found;
  return { name: name.toLowerCase(), bot, text: rest.trim() };
}

/** A text, or the words below a picture. */
function textOf(message: Data): string | null {
  const words = message.text ?? message.caption;
  return typeof words === "string" && words.trim() !== "" ? words : null;
}

const serviceMembers = [
  "new_chat_members",
  "left_chat_member",
  "pinned_message",
  "new_chat_title",
  "group_chat_created",
];

function isService(message: Data): boolean {
  return Object.keys(message).some((key) => serviceMembers.includes(key) || key.startsWith("forum_topic_"));
}

function isMentioned(text: string, botName: string | null): boolean {
  return botName !== null && text.toLowerCase().includes(`@${botName.toLowerCase()}`);
}

/** An answer to somebody else, or words that begin with another's name. In a topic everything answers the notice of its beginning. */
function isForOthers(text: string, answered: Data): boolean {
  const isAnswer = answered.message_id !== undefined && answered.forum_topic_created === undefined;
  return isAnswer || text.trim().startsWith("@");
}

function isReplyTo(answered: Data, botName: string | null): boolean {
  const { username } = toData(answered.from);
  return typeof username === "string" && isSame(username, botName);
}

function isSame(name: string, botName: string | null): boolean {
  return botName !== null && name.toLowerCase() === botName.toLowerCase();
}

function toPlace(message: Data): Place {
  const chat = toData(message.chat);
  const isTopic = message.is_topic_message === true && Number.isSafeInteger(message.message_thread_id);
  return {
    chatId: toId(chat.id),
    threadId: isTopic ? (message.message_thread_id as number) : null,
    isPrivate: chat.type === undefined ? toId(chat.id) > 0 : chat.type === "private",
  };
}

/** Null for bots and for channels that post in their own name. */
function toSender(from: unknown): Sender | null {
  const { id, is_bot: isBot, first_name: first, last_name: last, username } = toData(from);
  if (!Number.isSafeInteger(id) || isBot === true) return null;
  const names = [first, last].filter((part) => typeof part === "string" && part !== "");
  const name = names.length > 0 ? names.join(" ") : `@${String(username ?? id)}`;
  return { id: id as number, name: name.slice(0, 100) };
}

function toData(value: unknown): Data {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Data) : {};
}

function toId(value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) : 0;
}

function nothing(why: string): Signal {
  return { kind: "nothing", why };
}
