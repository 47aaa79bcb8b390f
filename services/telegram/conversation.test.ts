import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startTelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FleetPair, type Items, operator, startFleet, startTelegram, type Telegram } from "./telegram.fixture.ts";

let fleet: FleetPair;
let bot: Telegram;
beforeAll(async () => {
  fleet = await startFleet();
  bot = await startTelegram({ fleet });
});
afterAll(async () => {
  await bot[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

async function newestTask(type = "telegram.message"): Promise<Task> {
  const { items } = (await fleet.call<Items<Task>>(`/tasks?type=${type}&limit=1`)).body;
  if (!items[0]) throw new Error(`there is no ${type}`);
  return items[0];
}

test("a message becomes an event of its chat and its sender, and the answer answers it", async () => {
  const { messageId, updateId } = bot.say("ping & <pong>");
  const answer = await bot.said(({ text }) => text === "ping & <pong>");
  expect(answer).toMatchObject({ replyTo: messageId, parseMode: "HTML" });
  expect(await newestTask()).toMatchObject({
    concurrencyKey: String(operator),
    userKey: String(operator),
    status: "completed",
    payload: { text: "ping & <pong>", conversation_key: String(operator), user_key: String(operator) },
    correlationId: `telegram:${bot.telegram.bot.id}:${updateId}`,
  });
});

test("every message that was sent because of a task is in the task's audit", async () => {
  bot.say("to be audited");
  const { messageId } = await bot.said(({ text }) => text === "to be audited");
  const task = await newestTask();
  const noted = await eventually(async () => {
    const { events } = (await fleet.call(`/task/${task.id}`)).body;
    return events.find(({ kind }: { kind: string }) => kind === "side_effect");
  });
  expect(noted.data).toMatchObject({ service: "telegram", chatId: operator, messageId });
});

test("an answer of five thousand characters leaves in parts, in order, and one of a hundred thousand as a file", async () => {
  const text = Array.from({ length: 500 }, (_, index) => `line ${String(index).padStart(4, "0")}`).join("\n");
  bot.say(text);
  await bot.said(({ text: said }) => said.endsWith("line 0499"));
  const parts = bot.telegram
    .messages(operator)
    .filter(({ from, text: said }) => from === "bot" && /^line \d/.test(said));
  expect(parts).toHaveLength(2);
  expect(parts.map(({ text: said }) => said).join("\n")).toBe(text);

  bot.say("x".repeat(100_000));
  const file = await bot.said(({ document }) => document !== null);
  expect(file.document?.content).toBe("x".repeat(100_000));
});

test("/new makes a task of any type in the person's name, shows its progress in one message, and tells its end", async () => {
  bot.say('/new echo {"progressSteps":4,"delayMs":800,"text":"slow"}');
  const shown = await bot.said(({ text }) => text.startsWith("▶️ step"));
  expect(shown.isSilent).toBe(true);
  await bot.said(({ text }) => text.includes('"slow"'), "the result");
  await eventually(() =>
    bot.telegram
      .messages()
      .find(({ messageId }) => messageId === shown.messageId)
      ?.text.startsWith("✅ completed"),
  );
  const messages = bot.telegram
    .messages(operator)
    .filter(({ history }) => history.some((text) => text.includes("step")));
  expect(messages).toHaveLength(1);
  expect(messages[0]?.keyboard).toBeNull();
  expect(await newestTask("echo")).toMatchObject({
    source: "telegram",
    userKey: String(operator),
    status: "completed",
  });
});

test("the cancel button under the progress stops the run", async () => {
  bot.say('/new echo {"progressSteps":40,"delayMs":40000}');
  const shown = await bot.said(({ text, keyboard }) => text.startsWith("▶️ step 1 ") && keyboard !== null);
  expect(await bot.press(shown, "Cancel")).toBe("Canceled");
  await bot.said(({ text }) => text.startsWith("✖️"));
  expect(await newestTask("echo")).toMatchObject({ status: "canceled" });
});

test("a failed task is told with its error and can be retried from there; the end after that is told too", async () => {
  bot.say('/new echo {"failPermanently":"no such luck"}');
  const failed = await bot.said(({ text }) => text.includes("no such luck"));
  expect(await bot.press(failed, "↻")).toBe("It runs again");
  await eventually(
    () => bot.telegram.messages(operator).filter(({ text }) => text.includes("no such luck")).length === 2,
  );
});

test("a type that nobody knows and a payload that is wrong are told, and leave nothing waiting", async () => {
  bot.say("/new nobody.knows this");
  await bot.said(({ text }) => text.includes("unsupported_task_type"));
  bot.say('/new echo {"delayMs":-1}');
  await bot.said(({ text }) => text.includes("invalid_request"));
  const isNoneOpen = "select not exists (select 1 from telegram_runs where is_open) as is_none";
  await eventually(async () => (await fleet.database.pool.query(isNoneOpen)).rows[0].is_none);
});

test("/new_task answers with the id, then with the result", async () => {
  const { messageId } = bot.say("/new_task write a poem");
  const started = await bot.said(({ text, replyTo }) => text.includes("is on its way") && replyTo === messageId);
  expect(started.text).toContain((await newestTask()).id);
  await bot.said(({ text }) => text === "write a poem");
});

test("commands tell how things are", async () => {
  const ask = async (text: string, isSo: (answer: string) => boolean) => {
    const { messageId } = bot.say(text);
    return await bot.said(({ replyTo, text: answer }) => replyTo === messageId && isSo(answer), text);
  };
  await ask("/help", (text) => text.includes("/new_task"));
  await ask("/start", (text) => text.includes("You are known here"));
  await ask("/status", (text) => text.includes("echo-agent"));
  await ask("/whoami", (text) => text.includes(String(operator)) && text.includes("listed"));
  await ask("/tasks failed", (text) => text.includes("echo"));
  const { id, traceId } = await newestTask();
  const shown = await ask(`/task ${id}`, (text) => text.includes(id));
  expect(shown.text).toContain(traceId);
  await ask("/task 01890000-0000-7000-8000-000000000000", (text) => text.includes("no task"));
  await ask("/findings", (text) => text.includes("does not run"));
  await ask("/deploys", (text) => text.includes("does not run"));
  await ask(`/logs ${traceId}`, (text) => text.includes("does not answer"));
  await ask("/mute soon", (text) => text.includes("how long"));
  await ask("/nonsense", (text) => text.includes("no command"));
  await ask("/approve", (text) => text.includes("Nothing waits"));
});

test("what is typed acts as a button does, in the person's name", async () => {
  const ask = async (text: string, isSo: (answer: string) => boolean) => {
    const { messageId } = bot.say(text);
    return await bot.said(({ replyTo, text: answer }) => replyTo === messageId && isSo(answer), text);
  };
  const make = async (more: object) =>
    (await fleet.call("/task", { method: "POST", body: { type: "echo", ...more } })).body;
  const task = async (id: string) => (await fleet.call(`/task/${id}`)).body;
  const { id: later } = await make({ runAt: "2199-01-01T00:00:00Z" });
  await ask(`/cancel ${later} not today`, (text) => text.includes(later.slice(0, 8)));
  expect(await task(later)).toMatchObject({ status: "canceled", error: { message: "not today" } });
  expect((await task(later)).events.at(-1)?.actor).toBe(String(operator));
  await ask(`/retry ${later}`, (text) => text.includes(later.slice(0, 8)));
  expect(["queued", "running", "completed"]).toContain((await task(later)).status);
  await ask(`/retry ${(await make({ runAt: "2199-01-01T00:00:00Z" })).id}`, (text) => text.length > 0);
  await ask("/cancel", (text) => text.includes("Use it so"));
  const { id: asking } = await make({ approval: { required: true } });
  await ask(`/task ${asking}`, (text) => text.includes(asking));
  await ask(`/reject ${asking} too dear`, (text) => text.includes("Rejected"));
  const rejected = await task(asking);
  expect(rejected).toMatchObject({ status: "canceled", error: { code: "rejected" } });
  expect(JSON.stringify(rejected.events)).toContain("too dear");
  await ask("/mute 1m", (text) => text.includes("No alerts here"));
  await ask("/mute off", (text) => text.includes("Alerts come here again"));
});

test("a retry whose update is worked off twice, because the process died in between, runs the task once", async () => {
  bot.say('/new echo {"failPermanently": "broken twice"}');
  const failed = await bot.said(({ text }) => text.includes("broken twice"));
  const { id } = await newestTask("echo");
  const attemptsOf = async () =>
    (await fleet.call(`/task/${id}`)).body.events.filter(({ kind }: { kind: string }) => kind === "started").length;
  const again = async (updateId: number) => {
    const pool = fleet.database.pool;
    await pool.query("update telegram_inbox set status = 'new', done_at = null where update_id = $1", [updateId]);
    bot.say("/whoami");
    await eventually(
      async () =>
        (await pool.query("select status from telegram_inbox where update_id = $1", [updateId])).rows[0].status ===
        "done",
      { timeoutMs: 20_000 },
    );
  };
  expect(await bot.press(failed, "Retry")).toBe("It runs again");
  await eventually(
    async () => (await attemptsOf()) === 2 && (await fleet.call(`/task/${id}`)).body.status === "failed",
  );
  const { rows } = await fleet.database.pool.query(
    "select max(update_id) as id from telegram_inbox where note like 'press: retry%'",
  );
  await again(Number(rows[0].id));
  expect(await attemptsOf()).toBe(2);
  const { updateId, messageId } = bot.say(`/retry ${id}`);
  await bot.said(({ replyTo }) => replyTo === messageId);
  await eventually(
    async () => (await attemptsOf()) === 3 && (await fleet.call(`/task/${id}`)).body.status === "failed",
  );
  await again(updateId);
  expect(await attemptsOf()).toBe(3);
});

test("in a forum the topic is part of the conversation, and the answer goes there", async () => {
  const group = -1_001_234;
  await using telegram = await startTelegramStandIn({ token: "7000002:another" });
  await using forum = await startTelegram({
    fleet,
    env: { TELEGRAM_ALLOWED_CHAT_IDS: String(group), TELEGRAM_BOT_TOKEN: "7000002:another" },
    telegram,
  });
  forum.telegram.say({ chatId: group, userId: operator, threadId: 9, text: "hello @signalbox_bot" });
  const answer = await forum.said(({ text }) => text.includes("hello"), "the answer in the topic", group);
  expect(answer.threadId).toBe(9);
  expect(await newestTask()).toMatchObject({ concurrencyKey: `${group}:9` });
  forum.telegram.say({ chatId: group, userId: operator, threadId: 9, text: "and nobody by name" });
  await forum.said(({ text }) => text === "and nobody by name", "the answer without a name", group);
  forum.telegram.say({ chatId: group, userId: operator, threadId: 9, text: "@ann people talk" });
  forum.telegram.say({ chatId: group, userId: operator, text: "/whoami@other_bot" });
  forum.telegram.say({ chatId: group, userId: operator, text: "/whoami@signalbox_bot" });
  await forum.said(({ text }) => text.includes("This chat is"), "the answer to the command", group);
  expect((await newestTask()).payload).not.toMatchObject({ text: "@ann people talk" });
});

test("a picture without words is answered, one with words is a message, an edit is nothing", async () => {
  const from = { id: operator, is_bot: false, first_name: "Ann" };
  const chat = { id: operator, type: "private" };
  bot.telegram.update({ message: { message_id: 9_001, date: 0, chat, from, photo: [] } });
  await bot.said(({ text }) => text.includes("I can read words only"));
  bot.telegram.update({ message: { message_id: 9_002, date: 0, chat, from, photo: [], caption: "what is this?" } });
  await bot.said(({ text }) => text === "what is this?");
  bot.telegram.update({ edited_message: { message_id: 9_002, date: 0, chat, from, text: "edited" } });
  bot.say("after the edit");
  await bot.said(({ text }) => text === "after the edit");
  expect(bot.telegram.messages(operator).some(({ text }) => text === "edited")).toBe(false);
});

test("what PostgreSQL cannot hold does not keep the other messages of a batch out", async () => {
  await eventually(() => bot.telegram.pending().length === 0);
  bot.telegram.fail({ method: "getUpdates", kind: "slow", delayMs: 150, times: 1 });
  bot.say("a\u0000b\ud800c");
  bot.say("the next one");
  await bot.said(({ text }) => text === "the next one");
  await bot.said(({ text }) => text === "ab\ufffdc");
});
