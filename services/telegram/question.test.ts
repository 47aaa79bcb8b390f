import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startTelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type FleetPair,
  type Items,
  internalKey,
  operator,
  startFleet,
  startTelegram,
  type Telegram,
} from "./telegram.fixture.ts";

/** An agent that asks which colour, and answers with the one that it was told. */
async function startAsker() {
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { input } = JSON.parse(text) as { input?: unknown };
    const answer =
      input === undefined
        ? { waiting: { for: "input", prompt: "Which <colour>?" } }
        : { result: { output: `painted ${input}` } };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

let fleet: FleetPair;
let asker: Awaited<ReturnType<typeof startAsker>>;
let bot: Telegram;
beforeAll(async () => {
  fleet = await startFleet({ hasEcho: false, env: { RATE_LIMIT_USER_PER_MINUTE: "6" } });
  asker = await startAsker();
  const body = {
    name: "asker",
    instance: "asker-1",
    url: asker.url,
    types: [{ type: "telegram.message", path: "/run" }],
  };
  expect((await fleet.call("/agents/heartbeat", { method: "POST", body })).status).toBe(200);
  bot = await startTelegram({ fleet });
});
afterAll(async () => {
  await bot[Symbol.asyncDispose]();
  await asker[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

test("an agent asks back, and the next message of the chat is the answer, in the person's name", async () => {
  bot.say("paint the fence");
  const question = await bot.said(({ text }) => text.includes("Which <colour>?"));
  expect(question.replyTo).not.toBeNull();
  bot.say("green & gold");
  await bot.said(({ text }) => text === "painted green & gold");
  const { items } = (await fleet.call<Items<Task>>("/tasks?type=telegram.message")).body;
  expect(items).toHaveLength(1);
  const { events } = (await fleet.call(`/task/${items[0]?.id}`)).body;
  expect(events.find(({ kind }) => kind === "input_received")?.actor).toBe(String(operator));
});

test("a question that another chat is asked is not answered here", async () => {
  await using telegram = await startTelegramStandIn({ token: "7500001:token" });
  const env = { TELEGRAM_BOT_TOKEN: "7500001:token", TELEGRAM_ALLOWED_USER_IDS: "42,43" };
  await using other = await startTelegram({ fleet, telegram, env });
  other.say("mine", 42, 42);
  await other.said(({ text }) => text.includes("Which <colour>?"), "the question", 42);
  other.say("yours", 43, 43);
  await other.said(({ text }) => text.includes("Which <colour>?"), "a question of its own", 43);
  other.say("blue", 43, 43);
  await other.said(({ text }) => text === "painted blue", "the answer", 43);
  other.say("red", 42, 42);
  await other.said(({ text }) => text === "painted red", "the answer", 42);
});

test("too many messages in a minute are kept and told of, not lost", async () => {
  for (let count = 0; count < 8; count++) {
    await fetch(`${fleet.orchestrator.url}/v1/events`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-internal-key": internalKey,
        "x-on-behalf-of": String(operator),
      },
      body: JSON.stringify({
        schema_version: 1,
        type: "telegram.message",
        conversation_key: "elsewhere",
        user_key: String(operator),
        text: "x",
      }),
    });
  }
  bot.say("one too many");
  await bot.said(({ text }) => text.includes("Too many messages in this minute"));
  const { rows } = await eventually(async () => {
    const found = await fleet.database.pool.query(
      "select status, attempts, not_before > now() as waits from telegram_inbox where status = 'new'",
    );
    return found.rows.length === 1 && found;
  });
  expect(rows[0]).toMatchObject({ status: "new", waits: true });
});
