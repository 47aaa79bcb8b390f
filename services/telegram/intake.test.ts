import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Run } from "@signalbox/common/contracts/run.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { startTelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callService, type FleetPair, operator, startFleet, startTelegram, toEnv } from "./telegram.fixture.ts";

let fleet: FleetPair;
beforeAll(async () => {
  fleet = await startFleet();
});
afterAll(() => fleet[Symbol.asyncDispose]());

const secret = "a-webhook-secret";
const webhook = { TELEGRAM_INGEST_MODE: "webhook", TELEGRAM_WEBHOOK_SECRET: secret };
/** Every test has a bot of its own, and so an inbox of its own. */
const tokenOf = (number: number) => `${7_100_000 + number}:token-of-a-test`;

async function textsOf(correlation: string): Promise<string[]> {
  const { rows } = await fleet.database.pool.query(
    "select payload ->> 'text' as text from tasks where correlation_id like $1 order by seq",
    [`${correlation}:%`],
  );
  return rows.map(({ text }) => text);
}

function messageUpdate(updateId: number, text: string, chatId = operator) {
  const from = { id: operator, is_bot: false, first_name: "Ann" };
  const chat = { id: chatId, type: "private" };
  return { update_id: updateId, message: { message_id: updateId, date: 0, chat, from, text } };
}

const post = (url: string, update: unknown, token: string | null = secret) =>
  callService<{ stored: boolean }>(url, "/telegram/webhook", {
    method: "POST",
    body: update,
    headers: token === null ? {} : { "x-telegram-bot-api-secret-token": token },
  });

test("while polling there is no webhook; in webhook mode a wrong secret is 401 and stores nothing", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(1) });
  {
    await using bot = await startTelegram({ fleet, telegram });
    expect((await post(bot.url, messageUpdate(1, "x"))).status).toBe(404);
  }
  await using bot = await startTelegram({ fleet, telegram, env: webhook });
  for (const wrong of [null, "", "wrong", `${secret}x`, secret.toUpperCase()])
    expect((await post(bot.url, messageUpdate(1, "x"), wrong)).status).toBe(401);
  for (const body of ["{", "[]", '{"update_id":"1"}', '{"update_id":-1}', "[".repeat(50_000)])
    expect((await post(bot.url, body)).status).toBe(400);
  const { rows } = await fleet.database.pool.query("select 1 from telegram_inbox where bot = '7100001'");
  expect(rows).toEqual([]);
});

test("a webhook is set at the start with its secret, what comes is answered, and switching back and forth loses nothing", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(2) });
  const waiting = telegram.say({ chatId: operator, userId: operator, text: "before the start" });
  const port = { PORT: "0" };
  expect(waiting.updateId).toBeGreaterThan(0);
  {
    await using bot = await startTelegram({ fleet, telegram, env: port });
    await bot.said(({ text }) => text === "before the start");
  }
  telegram.say({ chatId: operator, userId: operator, text: "between the modes" });
  {
    await using bot = await startTelegram({ fleet, telegram, env: webhook });
    const { port: listening } = new URL(bot.url);
    await bot.stop();
    await using known = await startTelegram({
      fleet,
      telegram,
      env: { ...webhook, PORT: listening, TELEGRAM_WEBHOOK_URL: bot.url },
    });
    await known.said(({ text }) => text === "between the modes");
    known.say("by webhook");
    await known.said(({ text }) => text === "by webhook");
    expect(telegram.calls.find(({ method }) => method === "setWebhook")?.params).toMatchObject({
      url: `${bot.url}/telegram/webhook`,
      secret_token: secret,
    });
  }
  telegram.say({ chatId: operator, userId: operator, text: "while all are down" });
  await using bot = await startTelegram({ fleet, telegram });
  await bot.said(({ text }) => text === "while all are down");
  expect(await textsOf("telegram:7100002")).toEqual([
    "before the start",
    "between the modes",
    "by webhook",
    "while all are down",
  ]);
});

test("the same update on two instances in the same moment is one run", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(3) });
  await using one = await startTelegram({ fleet, telegram, env: webhook });
  await using other = await startTelegram({ fleet, telegram, env: webhook });
  const updates = Array.from({ length: 20 }, (_, index) => messageUpdate(100 + index, `text ${index}`));
  const answers = await Promise.all(
    updates.flatMap((update) => [one, other, one, other].map(({ url }) => post(url, update))),
  );
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(answers.filter(({ body }) => body.stored)).toHaveLength(20);
  await eventually(async () => (await textsOf("telegram:7100003")).length === 20);
  await eventually(() => telegram.messages(operator).filter(({ from }) => from === "bot").length === 20);
  expect(await textsOf("telegram:7100003")).toEqual(updates.map(({ message }) => message.text));
});

test("updates that overtake each other are worked off in the order of their numbers", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(4) });
  await using bot = await startTelegram({ fleet, telegram, env: webhook });
  await post(bot.url, messageUpdate(499, "first"));
  await eventually(async () => (await textsOf("telegram:7100004")).length === 1, { timeoutMs: 15_000 });
  for (const number of [503, 501, 502, 500]) await post(bot.url, messageUpdate(number, `text ${number}`));
  await eventually(async () => (await textsOf("telegram:7100004")).length === 5);
  expect(await textsOf("telegram:7100004")).toEqual(["first", "text 500", "text 501", "text 502", "text 503"]);
});

test("only one of two instances polls, and when it stops the other goes on at once", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(5) });
  await using one = await startTelegram({ fleet, telegram });
  await eventually(() => one.app.isLeading());
  await using other = await startTelegram({ fleet, telegram, overrides: { leadPace: { everyMs: 100 } } });
  one.say("to the first");
  await one.said(({ text }) => text === "to the first");
  expect([one.app.isLeading(), other.app.isLeading()]).toEqual([true, false]);
  await one.stop();
  other.say("to the second");
  await other.said(({ text }) => text === "to the second");
  expect(telegram.calls.filter(({ method, status }) => method === "getUpdates" && status === 409)).toEqual([]);
});

test("a foreign poller and a webhook that somebody set are waited out, and nobody crashes", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(6) });
  telegram.fail({ method: "getUpdates", kind: "409", times: 1 });
  telegram.fail({ method: "getUpdates", kind: "500", times: 1 });
  telegram.fail({ method: "getUpdates", kind: "lose", times: 1 });
  await using bot = await startTelegram({ fleet, telegram });
  bot.say("in spite of all");
  await bot.said(({ text }) => text === "in spite of all");
  await fetch(`${telegram.url}/bot${telegram.token}/setWebhook?url=http://127.0.0.1:9/elsewhere`);
  bot.say("after a foreign webhook");
  await eventually(
    () => telegram.messages(operator).some(({ text, from }) => from === "bot" && text.startsWith("after")),
    {
      timeoutMs: 20_000,
    },
  );
});

/** A Bot API that holds no call: it answers every one at once, with nothing. */
async function startImpatient() {
  const asked: number[] = [];
  const server = createServer((request, response) => {
    const isPoll = request.url?.endsWith("/getUpdates") === true;
    if (isPoll) asked.push(performance.now());
    const result = isPoll ? [] : { id: 7, is_bot: true, first_name: "Bot", username: "impatient_bot" };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ok: true, result }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...{ asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a Bot API that answers at once with nothing is not asked again at once", async () => {
  await using impatient = await startImpatient();
  await using _bot = await startTelegram({
    fleet,
    env: { TELEGRAM_API_ROOT: impatient.url, TELEGRAM_BOT_TOKEN: tokenOf(12) },
  });
  await eventually(() => impatient.asked.length >= 3, { what: "three calls", timeoutMs: 30_000 });
  const gaps = impatient.asked.slice(1).map((at, index) => at - (impatient.asked[index] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThan(500);
});

test("numbers that begin anew, lower, are not taken for old ones", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(7), firstUpdateId: 900_000 });
  await using bot = await startTelegram({ fleet, telegram, env: { TELEGRAM_POLL_SECONDS: "1" } });
  bot.say("high");
  await bot.said(({ text }) => text === "high");
  await eventually(() => {
    const last = telegram.calls.filter(({ method }) => method === "getUpdates").at(-1);
    return last !== undefined && last.params.offset === undefined;
  });
  telegram.update({ ...messageUpdate(17, "low") });
  await bot.said(({ text }) => text === "low");
});

test("killed between storing and answering, it answers after its restart, once", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(8) });
  const env = toEnv({ fleet, telegram, env: { LOG_LEVEL: "fatal" } });
  const { PORT: _port, ...rest } = env;
  // Stored, and then nothing: the orchestrator cannot be reached.
  const first = await startService({
    main: "services/telegram/main.ts",
    env: { ...rest, ORCHESTRATOR_URL: "http://127.0.0.1:9" },
  });
  telegram.say({ chatId: operator, userId: operator, text: "kept through a kill" });
  await eventually(async () => {
    const { rows } = await fleet.database.pool.query(
      "select 1 from telegram_inbox where bot = '7100008' and attempts > 0",
    );
    return rows.length > 0;
  });
  await first.stop("SIGKILL");
  await using second = await startService({ main: "services/telegram/main.ts", env: rest });
  expect(second.pid).not.toBe(first.pid);
  await eventually(
    () => telegram.messages(operator).some(({ text, from }) => from === "bot" && text === "kept through a kill"),
    {
      timeoutMs: 30_000,
    },
  );
  expect(await textsOf("telegram:7100008")).toEqual(["kept through a kill"]);
});

test("in webhook mode it does not start without a secret, and says so without a value", async () => {
  const telegram = { token: tokenOf(9), url: "http://127.0.0.1:9" } as never;
  const { PORT: _port, ...env } = toEnv({ fleet, telegram, env: { TELEGRAM_INGEST_MODE: "webhook" } });
  const failed = await startService({ main: "services/telegram/main.ts", env }).catch((error: Error) => error.message);
  expect(failed).toContain("TELEGRAM_WEBHOOK_SECRET is required in webhook mode but not set");
  expect(failed).not.toContain("token-of-a-test");
});

test("a run that ended before the stream of tasks was followed for the first time is answered all the same", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(10) });
  const created = await fleet.call<Run>("/v1/events", {
    method: "POST",
    body: {
      schema_version: 1,
      type: "telegram.message",
      conversation_key: String(operator),
      user_key: String(operator),
      text: "ended before",
    },
  });
  const id = created.body.run_id;
  await eventually(async () => (await fleet.call(`/task/${id}`)).body.status === "completed");
  await fleet.database.pool.query(
    "insert into telegram_runs (bot, update_id, chat_id, message_id, user_id, task_id) values ('7100010', 1, $1, 1, $1, $2)",
    [operator, id],
  );
  await using bot = await startTelegram({ fleet, telegram });
  await bot.said(({ text }) => text === "ended before");
});

test("a place in the stream that the orchestrator does not know is given up, and what was open is looked at", async () => {
  await using telegram = await startTelegramStandIn({ token: tokenOf(11) });
  await fleet.database.pool.query(
    "insert into telegram_memory (bot, key, value) values ('7100011', 'task-stream', '\"no cursor\"')",
  );
  await using bot = await startTelegram({ fleet, telegram });
  bot.say("in spite of the place");
  await bot.said(({ text }) => text === "in spite of the place");
});
