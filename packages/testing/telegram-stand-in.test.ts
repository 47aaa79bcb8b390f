import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "./eventually.ts";
import { readHtml } from "./telegram-html.ts";
import { startTelegramStandIn, type TelegramStandIn } from "./telegram-stand-in.ts";

let telegram: TelegramStandIn;
beforeAll(async () => {
  telegram = await startTelegramStandIn();
});
afterAll(() => telegram[Symbol.asyncDispose]());

type Sent = { message_id: number };
type Answered<T> = { ok: boolean; description?: string; result: T };

async function call<T>(method: string, params: object = {}, token = telegram.token) {
  const response = await fetch(`${telegram.url}/bot${token}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(params),
  });
  return { status: response.status, ...((await response.json()) as Answered<T>) };
}
const control = async (method: string, path: string, body?: object) =>
  fetch(`${telegram.url}/__control${path}`, { method, ...(body && { body: JSON.stringify(body) }) });

test.each([
  ["getMe", {}, "other:token", 401, "Unauthorized"],
  ["getYou", {}, null, 404, "Not Found: method not found"],
  ["sendMessage", { chat_id: 1 }, null, 400, 'Bad Request: parameter "text" is required'],
  ["sendMessage", { chat_id: 1, text: "  " }, null, 400, "Bad Request: message text is empty"],
  ["sendMessage", { chat_id: 1, text: "x".repeat(4_097) }, null, 400, "Bad Request: message is too long"],
  [
    "sendMessage",
    { chat_id: 1, text: "<b>x", parse_mode: "HTML" },
    null,
    400,
    "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
  ],
  [
    "sendMessage",
    { chat_id: 1, text: "x", reply_markup: { inline_keyboard: [[{ text: "a", callback_data: "x".repeat(65) }]] } },
    null,
    400,
    "Bad Request: BUTTON_DATA_INVALID",
  ],
  ["editMessageText", { chat_id: 1, message_id: 99, text: "x" }, null, 400, "Bad Request: message to edit not found"],
])("%s with %j is refused as Telegram does", async (...given) => {
  const [method, params, token, status, description] = given;
  const reply = await call(method, params, token ?? telegram.token);
  expect(reply).toMatchObject({ ok: false, status, error_code: status, description });
});

test("4096 units are counted after the tags are gone, and the same text again is not modified", async () => {
  const text = `<b>${"x".repeat(4_096)}</b>`;
  const { result } = await call<Sent>("sendMessage", { chat_id: 2, text, parse_mode: "HTML" });
  const edit = { chat_id: 2, message_id: result.message_id, text, parse_mode: "HTML" };
  expect((await call("editMessageText", edit)).description).toContain("message is not modified");
  expect(telegram.messages(2)[0]).toMatchObject({ edits: 0, from: "bot" });
});

test("an update stays until a higher one is asked for; a second poller ends the first", async () => {
  const { updateId } = telegram.say({ chatId: 3, userId: 3, text: "a" });
  const ask = async (params: object) => (await call<unknown[]>("getUpdates", params)).result?.length;
  expect([await ask({}), await ask({}), await ask({ offset: updateId + 1 }), await ask({})]).toEqual([1, 1, 0, 0]);
  const first = call("getUpdates", { timeout: 30 });
  await eventually(() => telegram.calls.at(-1)?.method === "getUpdates" && telegram.calls.at(-1)?.status === 0);
  const second = call("getUpdates", { timeout: 30 });
  expect(await first).toMatchObject({ status: 409 });
  telegram.say({ chatId: 3, userId: 3, text: "b" });
  expect((await second).result).toHaveLength(1);
});

test("a webhook is posted to with its secret, until it says 2xx, and polling is refused meanwhile", async () => {
  const seen: { headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    seen.push({ headers: request.headers, body });
    response.writeHead(seen.length < 3 ? 503 : 200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  expect((await call("setWebhook", { url, secret_token: "no spaces please" })).status).toBe(400);
  await call("setWebhook", { url, secret_token: "s3cret", drop_pending_updates: true });
  expect((await call("getUpdates")).description).toContain("webhook is active");
  telegram.say({ chatId: 4, userId: 4, text: "by webhook" });
  await eventually(() => telegram.pending().length === 0);
  expect(seen.map(({ headers }) => headers["x-telegram-bot-api-secret-token"])).toEqual(["s3cret", "s3cret", "s3cret"]);
  expect(new Set(seen.map(({ body }) => body)).size).toBe(1);
  await call("deleteWebhook");
  server.closeAllConnections();
  server.close();
});

test("a press is answered once", async () => {
  const keyboard = { inline_keyboard: [[{ text: "go", callback_data: "word" }]] };
  const { result } = await call<Sent>("sendMessage", { chat_id: 5, text: "x", reply_markup: keyboard });
  const { queryId } = telegram.press({ chatId: 5, userId: 5, messageId: result.message_id, data: "word" });
  const answer = { callback_query_id: queryId, text: "done" };
  expect([
    (await call("answerCallbackQuery", answer)).status,
    (await call("answerCallbackQuery", answer)).status,
  ]).toEqual([200, 400]);
  expect(telegram.queries.get(queryId)?.answer).toBe("done");
});

test("it is managed over HTTP too, and has a page to talk on", async () => {
  expect(await (await fetch(telegram.url)).text()).toContain("<title>Telegram stand-in</title>");
  const said = (await (await control("POST", "/messages", { chatId: 6, userId: 6, text: "hi" })).json()) as {
    messageId: number;
  };
  const messages = (await (await control("GET", "/messages?chatId=6")).json()) as { messageId: number }[];
  expect(messages.map(({ messageId }) => messageId)).toEqual([said.messageId]);
  await control("POST", "/faults", { method: "getMe", kind: "429", retryAfter: 7 });
  expect(await call("getMe")).toMatchObject({ status: 429, parameters: { retry_after: 7 } });
  expect((await call<{ username: string }>("getMe")).result.username).toBe("signalbox_bot");
  await control("POST", "/faults", { kind: "lose", times: 5 });
  await expect(call("getMe")).rejects.toThrow();
  await control("DELETE", "/faults");
  expect((await call("getMe")).status).toBe(200);
  expect((await control("GET", "/nothing")).status).toBe(404);
});

test.each(["<b>a</i>", "</b>", "<x>", "<a href='y'>z</a>", "&nbsp;", "<b", "<span>x</span>"])(
  "%j is refused",
  (html) => {
    expect(() => readHtml(html)).toThrow();
  },
);

test.each([
  ["<b>a <i>b</i></b>", "a b"],
  ["1 &lt; 2 &amp;&#33;", "1 < 2 &!"],
  ['<a href="https://example.org">x</a>', "x"],
  ['<pre><code class="language-ts">x</code></pre>', "x"],
])("%j reads %j", (html, text) => {
  expect(readHtml(html)).toBe(text);
});
