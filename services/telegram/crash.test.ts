import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { buildDice, type Dice } from "@signalbox/testing/dice.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { startTcpProxy } from "@signalbox/testing/tcp-proxy.ts";
import { startTelegramStandIn, type TelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { expect, test } from "vitest";
import { callService, toEnv } from "./telegram.fixture.ts";

/** A thousand messages; most of the time goes by until what was killed is missed. TELEGRAM_STORM_CHATS and TELEGRAM_STORM_EACH make it more. */
const chats = Number(process.env.TELEGRAM_STORM_CHATS ?? 50);
const each = Number(process.env.TELEGRAM_STORM_EACH ?? 20);
const secret = "a-webhook-secret";

type Wire = { update_id: number; message: { chat: { id: number }; text: string } };

/** Messages of all chats mixed, as Telegram numbers them. */
function makeUpdates(dice: Dice): Wire[] {
  const order = dice.shuffle(Array.from({ length: chats * each }, (_, index) => 1_000 + (index % chats)));
  const counts = new Map<number, number>();
  return order.map((chat, index) => {
    const count = (counts.get(chat) ?? 0) + 1;
    counts.set(chat, count);
    const from = { id: chat, is_bot: false, first_name: "Ann" };
    const text = `chat ${chat} message ${count}`;
    return {
      update_id: 10_000 + index,
      message: { message_id: index + 1, date: 0, chat: { id: chat, type: "private" }, from, text },
    };
  });
}

/** A little out of order, some of them twice. */
function toDeliveries(updates: Wire[], dice: Dice): Wire[] {
  const mixed: Wire[] = [];
  for (let at = 0; at < updates.length; at += 4) mixed.push(...dice.shuffle(updates.slice(at, at + 4)));
  return mixed.flatMap((update) => (dice.percent(10) ? [update, update] : [update]));
}

/** Posts as Telegram does: several at once, each until it is taken. */
async function deliver(deliveries: readonly Wire[], url: string, onPosted: (count: number) => void): Promise<void> {
  let next = 0;
  let posted = 0;
  const headers = { "x-telegram-bot-api-secret-token": secret };
  const post = async (update: Wire) => {
    const reply = await callService(url, "/telegram/webhook", { method: "POST", body: update, headers }).catch(
      () => null,
    );
    return reply?.status === 200;
  };
  const lane = async () => {
    for (let update = deliveries[next++]; update !== undefined; update = deliveries[next++]) {
      const wanted = update;
      await eventually(() => post(wanted), { timeoutMs: 60_000, everyMs: 50, what: "an update to be taken" });
      onPosted(++posted);
    }
  };
  await Promise.all(Array.from({ length: 6 }, lane));
}

/** Every message is one task, in order, and has its answer; what may have arrived before is marked, nothing else is said twice. */
async function expectAnswers(telegram: TelegramStandIn, database: TestDatabase, chatIds: number[]): Promise<void> {
  // Besides the answers there may be word that the fleet does not answer at the moment.
  const answersIn = (chat: number) =>
    telegram.messages(chat).filter(({ from, text }) => from === "bot" && text.includes(`chat ${chat} message`));
  await eventually(
    () => chatIds.every((chat) => answersIn(chat).some(({ text }) => text.endsWith(`message ${each}`))),
    {
      timeoutMs: 300_000,
      everyMs: 250,
      what: "the last answer in every chat",
    },
  );
  const { rows } = await database.pool.query(
    "select payload ->> 'text' as text, concurrency_key as chat from tasks where type = 'telegram.message' order by seq",
  );
  for (const chat of chatIds) {
    const wanted = Array.from({ length: each }, (_, index) => `chat ${chat} message ${index + 1}`);
    expect(rows.filter((row) => row.chat === String(chat)).map(({ text }) => text)).toEqual(wanted);
    const answers = answersIn(chat).map(({ text }) => text);
    expect(answers.filter((text) => !text.startsWith("↻")).filter((text, at, all) => all.indexOf(text) !== at)).toEqual(
      [],
    );
    const told = answers.map((text) => text.replace(/^↻[^\n]*\n/, ""));
    expect(told.filter((text, at) => told.indexOf(text) === at)).toEqual(wanted);
  }
}

test("messages that come twice and out of order, with both services killed in between, run once and in order, and are answered", async () => {
  const dice = buildDice("telegram", 1);
  await using database = await freshDatabase();
  await using telegram = await startTelegramStandIn();
  const updates = makeUpdates(dice);
  for (const { message } of updates)
    telegram.say({ chatId: message.chat.id, userId: message.chat.id, text: message.text });

  const ports = { orchestrator: 0, telegram: 0 };
  await using orchestratorProxy = await startTcpProxy(() => [ports.orchestrator]);
  await using telegramProxy = await startTcpProxy(() => [ports.telegram]);
  const orchestratorUrl = `http://127.0.0.1:${orchestratorProxy.port}`;
  const users = [...new Set(updates.map(({ message }) => message.chat.id))].join(",");
  const { PORT: _port, ...env } = toEnv({
    fleet: { database, orchestrator: { url: orchestratorUrl } as never },
    telegram,
    env: {
      TELEGRAM_ALLOWED_USER_IDS: users,
      TELEGRAM_INGEST_MODE: "webhook",
      TELEGRAM_WEBHOOK_SECRET: secret,
      RATE_LIMIT_USER_PER_MINUTE: "100000",
      RATE_LIMIT_GLOBAL_PER_MINUTE: "100000",
    },
  });
  const start = async (name: "orchestrator" | "telegram") => {
    const service = await startService({ main: `services/${name}/main.ts`, env, timeoutMs: 60_000 });
    ports[name] = service.port;
    return service;
  };
  let orchestrator = await start("orchestrator");
  await using echo = await startService({ main: "services/echo-agent/main.ts", env });
  expect(echo.pid).toBeGreaterThan(0);
  let bot = await start("telegram");

  let killing: Promise<void> = Promise.resolve();
  await deliver(toDeliveries(updates, dice), `http://127.0.0.1:${telegramProxy.port}`, (count) => {
    if (count === Math.floor(updates.length / 3)) {
      killing = bot.stop("SIGKILL").then(async () => {
        bot = await start("telegram");
      });
    }
    if (count === Math.floor((updates.length * 2) / 3)) {
      killing = killing
        .then(() => orchestrator.stop("SIGKILL"))
        .then(async () => {
          orchestrator = await start("orchestrator");
        });
    }
  });
  await killing;

  await expectAnswers(telegram, database, [...new Set(updates.map(({ message }) => message.chat.id))]);
  await Promise.all([bot.stop("SIGKILL"), orchestrator.stop("SIGKILL")]);
}, 480_000);
