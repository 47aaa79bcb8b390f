/*
 * Telegram, as a bot sees it: the methods of `telegram-methods.ts`, strictly; updates by long polling or by webhook; chats in which
 * people write and press. It can be told to fail. A page at `/` lets a person talk to the bot in a browser.
 *
 * Besides the Bot API, under `/__control`:
 *   POST   /messages  {"chatId","userId","text","threadId"?,"replyTo"?,"username"?}   a person writes; 201 {"updateId","messageId"}
 *   POST   /presses   {"chatId","userId","messageId","data"}           a person presses a button; 201 {"updateId","queryId"}
 *   POST   /updates   any update without its number; 201 {"updateId"}
 *   GET    /messages?chatId=   all messages   ·   GET /queries   presses and their answers   ·   GET /calls   every call so far
 *   GET    /state     {"pending","webhook"}
 *   POST   /faults    {"method"?,"kind","times"?,"retryAfter"?,"delayMs"?,"message"?}; kinds: 429 500 409 400 slow lose lose_answer
 *   DELETE /faults
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { readBytes } from "./read-bytes.ts";
import { chatPage } from "./telegram-chat-page.ts";
import {
  Chats,
  type Person,
  type PressedQuery,
  Refusal,
  type ShownMessage,
  toChat,
  toMessage,
} from "./telegram-chats.ts";
import { judgeCall } from "./telegram-methods.ts";
import { readParams } from "./telegram-params.ts";
import { type Update, Updates } from "./telegram-updates.ts";

export type TelegramFault = {
  /** only calls of this method; any without it */
  method?: string;
  /** lose: the connection ends and nothing was done; lose_answer: it was done, and the connection ends */
  kind: "429" | "500" | "409" | "400" | "slow" | "lose" | "lose_answer";
  times?: number;
  /** calls that go well before it begins */
  after?: number;
  retryAfter?: number;
  delayMs?: number;
  message?: string;
};

export type TelegramCall = { method: string; params: Record<string, unknown>; at: number; status: number };

export type Said = {
  chatId: number;
  userId: number;
  text: string;
  threadId?: number;
  replyTo?: number;
  username?: string;
};
export type Press = { chatId: number; userId: number; messageId: number; data: string };

export type TelegramStandIn = AsyncDisposable & {
  url: string;
  token: string;
  bot: Person;
  calls: readonly TelegramCall[];
  queries: ReadonlyMap<string, PressedQuery>;
  messages(chatId?: number): ShownMessage[];
  say(said: Said): { updateId: number; messageId: number };
  press(press: Press): { updateId: number; queryId: string };
  update(update: Record<string, unknown>): number;
  fail(fault: TelegramFault): void;
  heal(): void;
  /** Refuses every call about a chat from now on. */
  close(chatId: number, refusal: { code: number; message: string; migrateTo?: number }): void;
  pending(): Update[];
  webhookUrl(): string;
};

type State = ReturnType<typeof buildState>;

function buildState(token: string, firstUpdateId: number) {
  const id = Number(/^\d+/.exec(token)?.[0] ?? 1);
  const bot: Person = { id, is_bot: true, first_name: "Signalbox", username: "signalbox_bot" };
  return {
    token,
    bot,
    chats: new Chats(bot),
    updates: new Updates(firstUpdateId),
    calls: [] as TelegramCall[],
    faults: [] as (TelegramFault & { times: number; after: number })[],
    lastQueryId: 4_000_000_000,
  };
}

export async function startTelegramStandIn({
  token = "7000001:stand-in-token-of-thirty-five-characters",
  port = 0,
  firstUpdateId = 500_000_001,
} = {}): Promise<TelegramStandIn> {
  const state = buildState(token, firstUpdateId);
  const server = createServer((request, response) => {
    answer(state, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    bot: state.bot,
    calls: state.calls,
    queries: state.chats.queries,
    messages: (chatId) => state.chats.messages.filter((message) => chatId === undefined || message.chatId === chatId),
    say: (said) => say(state, said),
    press: (press) => pressButton(state, press),
    update: (update) => state.updates.add(update),
    fail: (fault) => void state.faults.push({ times: 1, after: 0, ...fault }),
    heal: () => void state.faults.splice(0),
    close(chatId, { code, message, migrateTo }) {
      const parameters = migrateTo === undefined ? undefined : { migrate_to_chat_id: migrateTo };
      state.chats.closed.set(chatId, new Refusal(code, message, parameters));
    },
    pending: () => state.updates.pending,
    webhookUrl: () => state.updates.webhookUrl,
    async [Symbol.asyncDispose]() {
      state.updates.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function toPerson({ userId, username }: { userId: number; username?: string }): Person {
  return { id: userId, is_bot: false, first_name: `Person ${userId}`, ...(username !== undefined && { username }) };
}

function say(state: State, said: Said): { updateId: number; messageId: number } {
  const { chatId, userId, text, threadId = null, replyTo = null } = said;
  const { chats, bot, updates } = state;
  const message = chats.add({
    chatId,
    threadId,
    from: userId,
    text,
    parseMode: null,
    replyTo,
    isSilent: false,
    keyboard: null,
    document: null,
  });
  const answered = chats.messages.find((other) => other.chatId === chatId && other.messageId === replyTo);
  const [command] = /^\/[\w@]+/.exec(text) ?? [];
  const updateId = updates.add({
    message: {
      ...toMessage(message, bot),
      from: toPerson(said),
      ...(answered && { reply_to_message: toMessage(answered, bot) }),
      ...(command !== undefined && { entities: [{ type: "bot_command", offset: 0, length: command.length }] }),
    },
  });
  return { updateId, messageId: message.messageId };
}

function pressButton(state: State, { chatId, userId, messageId, data }: Press): { updateId: number; queryId: string } {
  const { chats, bot, updates } = state;
  const message = chats.messages.find((other) => other.chatId === chatId && other.messageId === messageId);
  const id = String(++state.lastQueryId);
  chats.queries.set(id, { id, chatId, userId, answer: null, isAnswered: false });
  const shown = message ? toMessage(message, bot) : { message_id: messageId, date: 0, chat: toChat(chatId) };
  const updateId = updates.add({
    callback_query: { id, from: toPerson({ userId }), message: shown, chat_instance: "1", data },
  });
  return { updateId, queryId: id };
}

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://telegram");
  const body = await readBytes(request);
  if (url.pathname === "/") {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(chatPage);
  } else if (url.pathname.startsWith("/__control/")) manage(state, { request, url, body: body.toString() }, response);
  else await serve(state, { request, response, url, body });
}

type Incoming = { request: IncomingMessage; response: ServerResponse; url: URL; body: Buffer };

async function serve(state: State, { request, response, url, body }: Incoming): Promise<void> {
  const [, token = "", method = ""] = /^\/bot([^/]+)\/(\w+)$/.exec(url.pathname) ?? [];
  const params = readParams(request.headers["content-type"], body, url.searchParams);
  const call: TelegramCall = { method, params, at: Date.now(), status: 0 };
  if (token === state.token) state.calls.push(call);
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const fault = takeFault(state, method);
  try {
    if (token !== state.token) throw new Refusal(401, "Unauthorized");
    if (fault?.kind === "slow") await delay(fault.delayMs ?? 1_000);
    if (fault?.kind === "lose") return void response.destroy();
    throwFault(fault);
    const result = await run(state, call, gone.signal);
    if (fault?.kind === "lose_answer") return void response.destroy();
    reply(response, call, { status: 200, body: { ok: true, result } });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, parameters } = error;
    const refused = { ok: false, error_code: code, description: message, ...(parameters && { parameters }) };
    reply(response, call, { status: code, body: refused });
  }
}

function reply(response: ServerResponse, call: TelegramCall, { status, body }: { status: number; body: object }): void {
  call.status = status;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function takeFault(state: State, method: string): TelegramFault | null {
  const fault = state.faults.find((one) => one.times > 0 && (one.method === undefined || one.method === method));
  if (!fault) return null;
  if (fault.after > 0) {
    fault.after--;
    return null;
  }
  fault.times--;
  return fault;
}

function throwFault(fault: TelegramFault | null): void {
  const { retryAfter = 1, message } = fault ?? {};
  if (fault?.kind === "429") {
    throw new Refusal(429, `Too Many Requests: retry after ${retryAfter}`, { retry_after: retryAfter });
  }
  if (fault?.kind === "500") throw new Refusal(500, "Internal Server Error");
  if (fault?.kind === "400") throw new Refusal(400, `Bad Request: ${message ?? "can't parse entities"}`);
  if (fault?.kind === "409") throw new Refusal(409, conflict);
}

const conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";

async function run(state: State, { method, params }: TelegramCall, signal: AbortSignal): Promise<unknown> {
  const { updates, chats, bot } = state;
  const problem = judgeCall(method, params);
  if (problem !== null) {
    const isUnknown = problem === "method not found";
    throw new Refusal(isUnknown ? 404 : 400, isUnknown ? "Not Found: method not found" : `Bad Request: ${problem}`);
  }
  switch (method) {
    case "getMe":
      return { ...bot, can_join_groups: true, can_read_all_group_messages: false, supports_inline_queries: false };
    case "getUpdates":
      return updates.poll(params, signal);
    case "setWebhook":
      return updates.setWebhook(params);
    case "deleteWebhook":
      return updates.setWebhook({ url: "", drop_pending_updates: params.drop_pending_updates });
    case "getWebhookInfo":
      return updates.webhookInfo();
    case "setMyCommands":
      return true;
    default:
      return chats.call(method, params);
  }
}

type Control = { request: IncomingMessage; url: URL; body: string };

function manage(state: State, { request, url, body }: Control, response: ServerResponse): void {
  const given = body === "" ? {} : JSON.parse(body);
  const send = (status: number, value: unknown) =>
    response
      .writeHead(status, { "content-type": "application/json" })
      .end(value === undefined ? "" : JSON.stringify(value));
  const chatId = url.searchParams.get("chatId");
  switch (`${request.method} ${url.pathname.slice("/__control".length)}`) {
    case "POST /messages":
      return void send(201, say(state, given as Said));
    case "POST /presses":
      return void send(201, pressButton(state, given as Press));
    case "POST /updates":
      return void send(201, { updateId: state.updates.add(given) });
    case "GET /messages":
      return void send(
        200,
        state.chats.messages.filter((message) => chatId === null || message.chatId === Number(chatId)),
      );
    case "GET /queries":
      return void send(200, [...state.chats.queries.values()]);
    case "GET /calls":
      return void send(200, state.calls);
    case "GET /state":
      return void send(200, { pending: state.updates.pending.length, webhook: state.updates.webhookUrl });
    case "POST /faults":
      state.faults.push({ times: 1, after: 0, ...(given as TelegramFault) });
      return void send(204, undefined);
    case "DELETE /faults":
      state.faults.length = 0;
      return void send(204, undefined);
    default:
      return void send(404, { error: "there is no such control" });
  }
}
