import { afterAll, beforeAll, expect, test } from "vitest";
import { type FleetPair, operator, startFleet, startTelegram } from "./telegram.fixture.ts";

let fleet: FleetPair;
beforeAll(async () => {
  fleet = await startFleet();
});
afterAll(() => fleet[Symbol.asyncDispose]());

test("a message becomes an event of its chat and its sender, and the answer answers it", async () => {
  await using bot = await startTelegram({ fleet });
  const { messageId, updateId } = bot.say("ping & <pong>");
  const answer = await bot.said(({ text }) => text === "ping & <pong>");
  expect(answer).toMatchObject({ replyTo: messageId, parseMode: "HTML" });
  const { body } = await fleet.call("/tasks?type=telegram.message");
  expect(body.items).toHaveLength(1);
  expect(body.items[0]).toMatchObject({
    type: "telegram.message",
    concurrencyKey: String(operator),
    userKey: String(operator),
    status: "completed",
    payload: { text: "ping & <pong>", conversation_key: String(operator), user_key: String(operator) },
    correlationId: `telegram:${bot.telegram.bot.id}:${updateId}`,
  });
});
