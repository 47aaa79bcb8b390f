import { eventually } from "@signalbox/testing/eventually.ts";
import { startTelegramStandIn, type TelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type ApiFailure, judgePoll, judgeSend } from "./api-failure.ts";
import { buildPacer } from "./pacing.ts";
import { type FleetPair, operator, startFleet, startTelegram, type Telegram } from "./telegram.fixture.ts";

let fleet: FleetPair;
let telegram: TelegramStandIn;
let bot: Telegram;
beforeAll(async () => {
  fleet = await startFleet();
  telegram = await startTelegramStandIn();
  bot = await startTelegram({ fleet, telegram });
});
afterEach(() => telegram.heal());
afterAll(async () => {
  await bot[Symbol.asyncDispose]();
  await telegram[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

const said = (chatId = operator) => telegram.messages(chatId).filter(({ from }) => from === "bot");
const long = (parts: number, mark: string) =>
  Array.from({ length: parts * 400 }, (_, line) => `${mark} ${String(line).padStart(4, "0")}`).join("\n");

test("429 in the middle of an answer of three parts delays it, and changes neither order nor number", async () => {
  const text = long(3, "part");
  telegram.fail({ method: "sendMessage", kind: "429", retryAfter: 1, after: 1, times: 2 });
  const from = Date.now();
  bot.say(text);
  await bot.said(({ text: part }) => part.endsWith("part 1199"));
  const parts = said().filter(({ text: part }) => part.startsWith("part "));
  expect(parts).toHaveLength(3);
  expect(parts.map(({ text: part }) => part).join("\n")).toBe(text);
  expect(Date.now() - from).toBeGreaterThanOrEqual(1_900);
});

test("HTML that Telegram does not take is sent once more as plain text, with its buttons", async () => {
  telegram.fail({ method: "sendMessage", kind: "400", message: "can't parse entities: whatever", after: 1 });
  bot.say('/new echo {"failPermanently":"<b>not <closed"}');
  const failed = await bot.said(({ text }) => text.includes("<b>not <closed"));
  expect(failed.parseMode).toBeNull();
  expect(failed.keyboard?.inline_keyboard.flat()).toHaveLength(1);
});

test("malformed HTML in a result arrives as it was written", async () => {
  bot.say("<b>bold <i>and</b> &broken; </div>");
  expect((await bot.said(({ text }) => text.includes("&broken;"))).text).toBe("<b>bold <i>and</b> &broken; </div>");
});

test("a lost answer of Telegram makes a second message that says so; a lost edit makes none", async () => {
  telegram.fail({ method: "sendMessage", kind: "lose_answer" });
  bot.say("only once?");
  await bot.said(({ text }) => text === "only once?");
  const again = await bot.said(({ text }) => text.includes("Sent again") && text.endsWith("only once?"));
  expect(said().filter(({ text }) => text.includes("only once?"))).toHaveLength(2);
  expect(again.replyTo).not.toBeNull();

  bot.say('/new echo {"progressSteps":6,"delayMs":900}');
  const shown = await bot.said(({ text }) => text.startsWith("▶️ step"));
  telegram.fail({ method: "editMessageText", kind: "lose_answer", times: 2 });
  await eventually(() =>
    said().some(({ messageId, text }) => messageId === shown.messageId && text.startsWith("✅ completed")),
  );
  expect(said().filter(({ history }) => history.some((text) => text.startsWith("▶️ step")))).toHaveLength(1);
});

test("500, a dead connection and slowness are waited out, once each", async () => {
  telegram.fail({ method: "sendMessage", kind: "500" });
  telegram.fail({ method: "sendMessage", kind: "500" });
  telegram.fail({ method: "sendMessage", kind: "slow", delayMs: 300 });
  bot.say("through it all");
  await bot.said(({ text }) => text === "through it all");
  expect(said().filter(({ text }) => text.includes("through it all"))).toHaveLength(1);
});

test("a chat that blocked the bot is given up, and holds up nobody", async () => {
  const blocked = -300;
  await using other = await startTelegramStandIn({ token: "7200001:token" });
  await using group = await startTelegram({
    fleet,
    telegram: other,
    env: { TELEGRAM_ALLOWED_CHAT_IDS: `${blocked},-301`, TELEGRAM_BOT_TOKEN: "7200001:token" },
  });
  other.close(blocked, { code: 403, message: "Forbidden: bot was kicked from the supergroup chat" });
  for (let index = 0; index < 3; index++) group.say("/whoami", blocked);
  group.say("/whoami", -301);
  await group.said(({ text }) => text.includes("-301"), "the other group's answer", -301);
  const rows = await eventually(async () => {
    const found = await fleet.database.pool.query("select status, error from telegram_outbox where chat_id = $1", [
      blocked,
    ]);
    return found.rows.length === 3 && found.rows.every(({ status }) => status === "failed") && found.rows;
  });
  expect(rows[0]?.error).toContain("kicked");
  other.update({
    my_chat_member: {
      chat: { id: blocked, type: "supergroup" },
      from: { id: operator },
      date: 0,
      new_chat_member: { status: "member" },
    },
  });
  await eventually(async () => {
    const { rows: chats } = await fleet.database.pool.query(
      "select closed_because from telegram_chats where chat_id = $1",
      [blocked],
    );
    return chats[0]?.closed_because === null;
  });
});

test("what was to go to a group goes to the number that it has now", async () => {
  await using other = await startTelegramStandIn({ token: "7200002:token" });
  await using group = await startTelegram({
    fleet,
    telegram: other,
    env: { TELEGRAM_ALLOWED_CHAT_IDS: "-400", TELEGRAM_BOT_TOKEN: "7200002:token" },
  });
  other.close(-400, {
    code: 400,
    message: "Bad Request: group chat was upgraded to a supergroup chat",
    migrateTo: -100_400,
  });
  group.say("/whoami", -400);
  await group.said(({ text }) => text.includes("-400"), "the answer in the new group", -100_400);
});

test("neither the token nor a message is in any log line, error or metric, whatever goes wrong", async () => {
  const lines: string[] = [];
  const token = "7200003:the-canary-token-of-a-bot-that-nobody-may-see";
  const { buildLog } = await import("@signalbox/common/log.ts");
  const logs = buildLog({
    service: "telegram",
    level: "trace",
    format: "json",
    print: (text) => void lines.push(text),
  });
  await using other = await startTelegramStandIn({ token });
  for (const kind of ["500", "lose", "lose_answer", "400", "429"] as const) other.fail({ kind });
  {
    await using noisy = await startTelegram({
      fleet,
      telegram: other,
      env: { TELEGRAM_BOT_TOKEN: token },
      overrides: { logs },
    });
    noisy.say("the canary text");
    const isSaid = () =>
      other.messages(operator).some(({ from, text }) => from === "bot" && text === "the canary text");
    await eventually(isSaid, { timeoutMs: 40_000 });
    const pages = await Promise.all(
      ["/metrics", "/telegram/state", "/config/validate", "/ready"].map((path) =>
        fetch(noisy.url + path, { headers: { "x-internal-key": "test-internal-key" } }),
      ),
    );
    for (const page of pages) lines.push(await page.text());
  }
  const all = lines.join("\n");
  expect(all).toContain("telegram_messages_total");
  for (const canary of ["the-canary-token", "the canary text"]) expect(all).not.toContain(canary);
});

const refused = (
  code: number,
  description = "",
  more: Partial<Extract<ApiFailure, { kind: "refused" }>> = {},
): ApiFailure => ({
  kind: "refused",
  code,
  description,
  retryAfterMs: null,
  movedTo: null,
  ...more,
});

test.each([
  [refused(429, "", { retryAfterMs: 7_000 }), { kind: "wait", ms: 7_000, mayHaveArrived: false }],
  [refused(401), { kind: "wait", holds: "bot" }],
  [refused(500), { kind: "wait", mayHaveArrived: false }],
  [refused(502), { kind: "wait", mayHaveArrived: true }],
  [refused(403, "Forbidden: bot was blocked by the user"), { kind: "give_up", closesChat: true }],
  [refused(400, "Bad Request: chat not found"), { kind: "give_up", closesChat: true }],
  [refused(400, "Bad Request: message is too long"), { kind: "give_up", closesChat: false }],
  [refused(400, "Bad Request: message is not modified: same"), { kind: "done" }],
  [refused(400, "Bad Request: can't parse entities: x"), { kind: "plain" }],
  [refused(400, "Bad Request: message to edit not found"), { kind: "anew" }],
  [refused(400, "Bad Request: message thread not found"), { kind: "without_thread" }],
  [refused(400, "upgraded", { movedTo: -7 }), { kind: "moved", to: -7 }],
  [{ kind: "unanswered", isUndone: true, description: "" } as ApiFailure, { kind: "wait", mayHaveArrived: false }],
  [{ kind: "unanswered", isUndone: false, description: "" } as ApiFailure, { kind: "wait", mayHaveArrived: true }],
])("%j is judged %j", (failure, verdict) => {
  expect(judgeSend(failure, 1)).toMatchObject(verdict);
});

test("a message that Telegram keeps failing at is given up in the end, so that its chat goes on", () => {
  expect(judgeSend(refused(500), 11).kind).toBe("wait");
  expect(judgeSend(refused(500), 12).kind).toBe("give_up");
});

test("the two meanings of 409 are told apart", () => {
  expect(judgePoll(refused(409, "Conflict: can't use getUpdates method while webhook is active"), 0).hasWebhook).toBe(
    true,
  );
  expect(judgePoll(refused(409, "Conflict: terminated by other getUpdates request"), 0)).toEqual({
    ms: 3_000,
    hasWebhook: false,
  });
});

test("one message a second in a chat, twenty a minute in a group, thirty a second in all, and a chat on hold holds no other", () => {
  const pacer = buildPacer({ privateMs: 1_000, groupMs: 3_000, perSecond: 30 });
  pacer.begin(1, 0);
  pacer.begin(-1, 0);
  expect(pacer.resting(999)).toEqual([1, -1]);
  expect(pacer.resting(1_000)).toEqual([-1]);
  expect(pacer.resting(3_000)).toEqual([]);
  for (let chat = 10; chat < 40; chat++) pacer.begin(chat, 3_000);
  expect(pacer.room(3_000)).toBe(0);
  expect(pacer.room(3_500)).toBe(15);
  pacer.end(10, 4_000, { ms: 30_000, isBot: false });
  expect(pacer.resting(5_000)).toEqual([10]);
  expect(pacer.room(5_000)).toBe(30);
  pacer.end(11, 5_000, { ms: 2_000, isBot: true });
  expect(pacer.room(6_000)).toBe(0);
  expect(pacer.room(7_000)).toBe(30);
});
