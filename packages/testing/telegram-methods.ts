/**
 * What the Telegram stand-in knows of the Bot API: the methods that Signalbox calls, and the types inside their parameters. A word is
 * `name:type`, `name*:type` when it must be there; `|` separates types, `[]` is a list. Less than the official description, never
 * different from it: a test compares the two wherever a copy of the official one lies beside the repository.
 */
export const botApiVersion = "10.1";

const place = "chat_id*:Integer|String message_thread_id:Integer";
const sending = "disable_notification:Boolean protect_content:Boolean reply_parameters:ReplyParameters";
const keyboards = "reply_markup:InlineKeyboardMarkup|ReplyKeyboardMarkup|ReplyKeyboardRemove|ForceReply";

export const methods: Record<string, string> = {
  getMe: "",
  getUpdates: "offset:Integer limit:Integer timeout:Integer allowed_updates:String[]",
  setWebhook:
    "url*:String ip_address:String max_connections:Integer allowed_updates:String[] drop_pending_updates:Boolean secret_token:String",
  deleteWebhook: "drop_pending_updates:Boolean",
  getWebhookInfo: "",
  setMyCommands: "commands*:BotCommand[] language_code:String",
  sendMessage: `${place} text*:String parse_mode:String link_preview_options:LinkPreviewOptions ${sending} ${keyboards}`,
  sendDocument: `${place} document*:InputFile|String caption:String parse_mode:String ${sending} ${keyboards}`,
  sendChatAction: "chat_id*:Integer|String message_thread_id:Integer action*:String",
  editMessageText:
    "chat_id:Integer|String message_id:Integer inline_message_id:String text:String parse_mode:String link_preview_options:LinkPreviewOptions reply_markup:InlineKeyboardMarkup",
  editMessageReplyMarkup:
    "chat_id:Integer|String message_id:Integer inline_message_id:String reply_markup:InlineKeyboardMarkup",
  answerCallbackQuery: "callback_query_id*:String text:String show_alert:Boolean url:String cache_time:Integer",
};

export const types: Record<string, string> = {
  BotCommand: "command*:String description*:String",
  LinkPreviewOptions: "is_disabled:Boolean url:String",
  ReplyParameters: "message_id*:Integer chat_id:Integer|String allow_sending_without_reply:Boolean",
  InlineKeyboardMarkup: "inline_keyboard*:InlineKeyboardButton[][]",
  InlineKeyboardButton: "text*:String url:String callback_data:String",
  ForceReply: "force_reply*:Boolean input_field_placeholder:String selective:Boolean",
};

export type Field = { name: string; types: string[]; isRequired: boolean };

export function parseFields(words: string): Field[] {
  return words
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => {
      const [, name = "", star, kinds = ""] = /^(\w+)(\*?):(.+)$/.exec(word) ?? [];
      return { name, isRequired: star === "*", types: kinds.split("|") };
    });
}

/** What is wrong with the parameters of a call; null when nothing is. Texts as `application/x-www-form-urlencoded` are taken apart. */
export function judgeCall(method: string, params: Record<string, unknown>): string | null {
  const fields = methods[method];
  return fields === undefined ? "method not found" : judgeMembers(fields, params, "");
}

function judgeMembers(words: string, value: Record<string, unknown>, at: string): string | null {
  const fields = parseFields(words);
  const known = fields.map(({ name }) => name);
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) return `unknown parameter "${at}${unknown}"`;
  return fields.map((field) => judgeMember(field, value[field.name], at)).find((problem) => problem !== null) ?? null;
}

function judgeMember({ name, types: kinds, isRequired }: Field, member: unknown, at: string): string | null {
  if (member === undefined || member === null) return isRequired ? `parameter "${at}${name}" is required` : null;
  const problems = kinds.map((kind) => judgeValue(kind, member, `${at}${name}`));
  return problems.includes(null) ? null : (problems[0] ?? null);
}

function judgeValue(kind: string, value: unknown, at: string): string | null {
  if (kind.endsWith("[]")) {
    if (!Array.isArray(value)) return `"${at}" must be a list`;
    const wrong = value.map((item, index) => judgeValue(kind.slice(0, -2), item, `${at}.${index}`));
    return wrong.find((problem) => problem !== null) ?? null;
  }
  const isIt = simple[kind];
  if (isIt) return isIt(value) ? null : `"${at}" must be of type ${kind}`;
  const members = types[kind];
  if (members === undefined || typeof value !== "object" || value === null) return `"${at}" must be of type ${kind}`;
  return judgeMembers(members, value as Record<string, unknown>, `${at}.`);
}

const simple: Record<string, (value: unknown) => boolean> = {
  Integer: (value) => Number.isSafeInteger(value),
  String: (value) => typeof value === "string",
  Boolean: (value) => typeof value === "boolean",
  InputFile: (value) => typeof value === "object" && value !== null && "content" in value,
};
