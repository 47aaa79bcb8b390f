/**
 * The Bot API through grammY, one call at a time: what is repeated, and when, is decided where it is also remembered. The token is part
 * of every address, so nothing that grammY throws leaves this file.
 */
import { Api, GrammyError, HttpError, InputFile } from "grammy";
import type { ForceReply, InlineKeyboardMarkup, ReplyParameters } from "grammy/types";
import { type ApiFailure, BotApiError } from "../api-failure.ts";
import type { MessageBody } from "../message.ts";
import type { Place } from "../update.ts";

export type BotIdentity = { id: number; username: string };
export type Where = Pick<Place, "chatId" | "threadId">;
export type WebhookState = { url: string; pending: number; lastError: string | null };

export type BotApi = ReturnType<typeof buildBotApi>;

const sendTimeoutSeconds = 20;
/** What a poll may take longer than Telegram was asked to wait. */
const pollGraceSeconds = 10;

/** What we ask Telegram to send; it remembers the list between calls, so it is said every time. */
const wanted = ["message", "edited_message", "callback_query", "my_chat_member"] as const;

export function buildBotApi(options: { token: string; apiRoot: string; pollSeconds: number }) {
  const apiRoot = options.apiRoot.replace(/\/+$/, "");
  const open = (timeoutSeconds: number) =>
    // Following a redirect would show the token to whoever stands at its end.
    new Api(options.token, { apiRoot, timeoutSeconds, baseFetchConfig: { redirect: "error" } });
  const api = open(sendTimeoutSeconds);
  const polling = open(options.pollSeconds + pollGraceSeconds);

  return {
    async getMe(): Promise<BotIdentity> {
      const me = await guarded("getMe", () => api.getMe());
      return { id: me.id, username: me.username };
    },
    getUpdates(offset: number | null, signal: AbortSignal): Promise<unknown[]> {
      const asked = { limit: 100, timeout: options.pollSeconds, allowed_updates: [...wanted] };
      return guarded("getUpdates", () =>
        polling.getUpdates(offset === null ? asked : { ...asked, offset }, toGrammySignal(signal)),
      );
    },
    async setWebhook(url: string, secret: string): Promise<void> {
      const more = { secret_token: secret, allowed_updates: [...wanted], max_connections: 40 };
      await guarded("setWebhook", () => api.setWebhook(url, more));
    },
    /** Messages that wait stay: they come by polling then. */
    async deleteWebhook(): Promise<void> {
      await guarded("deleteWebhook", () => api.deleteWebhook({ drop_pending_updates: false }));
    },
    async readWebhook(): Promise<WebhookState> {
      const info = await guarded("getWebhookInfo", () => api.getWebhookInfo());
      return { url: info.url ?? "", pending: info.pending_update_count, lastError: info.last_error_message ?? null };
    },
    async setCommands(commands: readonly { command: string; description: string }[]): Promise<void> {
      await guarded("setMyCommands", () => api.setMyCommands([...commands]));
    },
    /** @returns the number of the message */
    async send(where: Where, body: MessageBody, isPlain: boolean): Promise<number> {
      const { document } = body;
      const more = { ...toThread(where), ...toSending(body), ...toKeyboard(body) };
      const text = isPlain ? { text: body.plain } : { text: body.html, parse_mode: "HTML" as const };
      const sent = document
        ? await guarded("sendDocument", () => {
            const caption = body.plain === "" ? {} : toCaption(body, isPlain);
            const file = new InputFile(Buffer.from(document.content, "utf8"), document.name);
            return api.sendDocument(where.chatId, file, { ...more, ...caption });
          })
        : await guarded("sendMessage", () =>
            api.sendMessage(where.chatId, text.text, { ...more, ...toMode(isPlain), ...noPreview }),
          );
      return sent.message_id;
    },
    async edit(where: Where & { messageId: number }, body: MessageBody, isPlain: boolean): Promise<void> {
      const keyboard = toKeyboard({ ...body, asksReply: false }) as { reply_markup?: InlineKeyboardMarkup };
      const text = isPlain ? body.plain : body.html;
      await guarded("editMessageText", () =>
        api.editMessageText(where.chatId, where.messageId, text, { ...keyboard, ...toMode(isPlain), ...noPreview }),
      );
    },
    async type(where: Where): Promise<void> {
      await guarded("sendChatAction", () => api.sendChatAction(where.chatId, "typing", toThread(where)));
    },
    async answerPress(queryId: string, text: string): Promise<void> {
      await guarded("answerCallbackQuery", () => api.answerCallbackQuery(queryId, { text: text.slice(0, 200) }));
    },
  };
}

const noPreview = { link_preview_options: { is_disabled: true } };

function toMode(isPlain: boolean): { parse_mode?: "HTML" } {
  return isPlain ? {} : { parse_mode: "HTML" };
}

function toCaption(body: MessageBody, isPlain: boolean) {
  return { caption: isPlain ? body.plain : body.html, ...toMode(isPlain) };
}

function toThread({ threadId }: Where): { message_thread_id?: number } {
  return threadId === null ? {} : { message_thread_id: threadId };
}

function toSending({ isSilent, replyTo }: MessageBody): {
  disable_notification?: boolean;
  reply_parameters?: ReplyParameters;
} {
  return {
    ...(isSilent === true && { disable_notification: true }),
    // The question may have been deleted meanwhile; the answer is wanted all the same.
    ...(replyTo !== undefined && { reply_parameters: { message_id: replyTo, allow_sending_without_reply: true } }),
  };
}

function toKeyboard({ buttons = [], asksReply }: MessageBody): { reply_markup?: InlineKeyboardMarkup | ForceReply } {
  if (buttons.length === 0) return asksReply === true ? { reply_markup: { force_reply: true } } : {};
  const inline_keyboard = buttons.map((row) =>
    row.map((button) =>
      "url" in button ? { text: button.text, url: button.url } : { text: button.text, callback_data: button.token },
    ),
  );
  return { reply_markup: { inline_keyboard } };
}

/** grammY names the signal of a polyfill; it takes any. */
function toGrammySignal(signal: AbortSignal): Parameters<Api["getUpdates"]>[1] {
  return signal as unknown as Parameters<Api["getUpdates"]>[1];
}

async function guarded<T>(method: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw new BotApiError(method, toFailure(error));
  }
}

function toFailure(error: unknown): ApiFailure {
  if (error instanceof GrammyError) {
    const { error_code: code, description, parameters } = error;
    const { retry_after: seconds, migrate_to_chat_id: movedTo = null } = parameters;
    return {
      kind: "refused",
      code,
      description,
      retryAfterMs: seconds === undefined ? null : seconds * 1_000,
      movedTo,
    };
  }
  const code = error instanceof HttpError ? codeOf(error.error) : "";
  const isUndone = undoneCodes.has(code);
  return { kind: "unanswered", isUndone, description: isUndone ? `cannot be reached (${code})` : "no answer came" };
}

/** The connection was never made. */
const undoneCodes = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
