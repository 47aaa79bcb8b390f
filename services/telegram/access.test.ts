import { eventually } from "@signalbox/testing/eventually.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { judgeAccess } from "./access.ts";
import {
  basic,
  callService,
  type FleetPair,
  type Items,
  operator,
  startFleet,
  startTelegram,
  type Telegram,
} from "./telegram.fixture.ts";

let fleet: FleetPair;
let bot: Telegram;
beforeAll(async () => {
  fleet = await startFleet();
  bot = await startTelegram({ fleet, env: { TELEGRAM_ALLOWED_CHAT_IDS: "-100" } });
});
afterAll(async () => {
  await bot[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

const told = (chatId: number) => bot.telegram.messages(chatId).filter(({ from }) => from === "bot");
const isWorkedOff = () =>
  eventually(async () => {
    const { rows } = await fleet.database.pool.query("select 1 from telegram_inbox where status = 'new'");
    return bot.telegram.pending().length === 0 && rows.length === 0;
  });
const countTasks = async () => (await fleet.call<Items<unknown>>("/tasks")).body.items.length;

type Pairing = { code: string; url: string; expiresAt: string };

async function pair(): Promise<string> {
  const asked = { method: "POST", headers: { authorization: basic } };
  const reply = await callService<Pairing>(bot.url, "/telegram/pairings", asked);
  expect(reply.status).toBe(201);
  expect(reply.body.url).toBe(`https://t.me/signalbox_bot?start=${reply.body.code}`);
  expect(Date.parse(reply.body.expiresAt) - Date.now()).toBeGreaterThan(590_000);
  return reply.body.code;
}

test("a stranger gets one refusal, then silence, and never a task", async () => {
  const before = await countTasks();
  for (const text of ["hello", "/tasks", "hello?", "/start", "/new echo {}"]) bot.say(text, 666, 666);
  await isWorkedOff();
  await eventually(() => told(666).length > 0);
  await isWorkedOff();
  expect(told(666).map(({ text }) => text)).toEqual(["This bot is private. Ask whoever runs it for a pairing link."]);
  expect(await countTasks()).toBe(before);
});

test("a group that is not listed is told so once; in a listed one a stranger is a stranger", async () => {
  const before = await countTasks();
  for (const text of ["/status", "/tasks"]) bot.say(text, -200, operator);
  bot.say("/status", -100, 667);
  bot.say("people talk", -100, 668);
  bot.say("people talk", -300, operator);
  await isWorkedOff();
  await eventually(() => told(-200).length > 0);
  expect(told(-200).map(({ text }) => text)).toEqual(["This bot does not listen in this group."]);
  expect(told(-100).some(({ text }) => text.includes("24 hours"))).toBe(false);
  expect(told(-300)).toEqual([]);
  bot.say("/status", -100, operator);
  await bot.said(({ text }) => text.includes("24 hours"), "the answer in the group", -100);
  expect(await countTasks()).toBe(before);
});

test("a pairing code lets one person in, once", async () => {
  const code = await pair();
  bot.say(`/start ${code}`, 70, 70);
  await bot.said(({ text }) => text.startsWith("✅ Welcome"), "the welcome", 70);
  bot.say("at last", 70, 70);
  await bot.said(({ text }) => text === "at last", "an answer", 70);
  bot.say(`/start ${code}`, 71, 71);
  await bot.said(({ text }) => text.includes("not valid"), "the refusal of a used code", 71);
  bot.say("let me in", 71, 71);
  await bot.said(({ text }) => text.includes("private"), "a refusal", 71);
});

test("somebody who paired can be put out again, at once", async () => {
  bot.say(`/start ${await pair()}`, 72, 72);
  await bot.said(({ text }) => text.startsWith("✅ Welcome"), "the welcome", 72);
  const auth = { authorization: basic };
  expect(
    (await callService<Items<unknown>>(bot.url, "/telegram/members", { headers: auth })).body.items,
  ).toContainEqual(expect.objectContaining({ userId: 72, name: "Person 72", pairedBy: "person:operator" }));
  expect((await callService(bot.url, "/telegram/members/72", { method: "DELETE", headers: auth })).status).toBe(204);
  expect((await callService(bot.url, "/telegram/members/72", { method: "DELETE", headers: auth })).status).toBe(404);
  bot.say("still here?", 72, 72);
  await bot.said(({ text }) => text.includes("private"), "a refusal", 72);
});

test("a code that is too old, and guesses, let nobody in; after five guesses there is silence", async () => {
  const code = await pair();
  await fleet.database.pool.query(
    "update telegram_pairings set expires_at = now() - interval '1 s' where used_at is null",
  );
  bot.say(`/start ${code}`, 73, 73);
  await bot.said(({ text }) => text.includes("not valid"), "the refusal of an old code", 73);
  const good = await pair();
  for (let index = 0; index < 8; index++) bot.say(`/start guess_guess_guess_${index}`, 73, 73);
  bot.say(`/start ${good}`, 73, 73);
  await isWorkedOff();
  await eventually(() => told(73).length >= 5);
  expect(told(73).filter(({ text }) => text.includes("Welcome"))).toEqual([]);
  expect(told(73).length).toBeLessThanOrEqual(6);
});

test("nothing that could be used as a code is in the database", async () => {
  const code = await pair();
  const { rows } = await fleet.database.pool.query("select * from telegram_pairings");
  expect(JSON.stringify(rows)).not.toContain(code);
});

const person = { id: 1, name: "A" };
const list = { users: new Set([1]), chats: new Set([-5]) };
test.each([
  { id: 1, isPrivate: true, isMember: false, movedFrom: null, access: "served" },
  { id: 2, isPrivate: true, isMember: false, movedFrom: null, access: "stranger" },
  { id: 2, isPrivate: true, isMember: true, movedFrom: null, access: "served" },
  { id: 1, isPrivate: false, isMember: false, movedFrom: null, access: "foreign_chat" },
  { id: 1, isPrivate: false, isMember: false, movedFrom: -5, access: "served" },
  { id: 2, isPrivate: false, isMember: false, movedFrom: -5, access: "stranger" },
])("user $id, private $isPrivate, paired $isMember, moved from $movedFrom: $access", ({ id, access, ...known }) => {
  const place = { chatId: known.isPrivate ? id : -9, threadId: null, isPrivate: known.isPrivate };
  expect(judgeAccess({ place, sender: { ...person, id } }, list, known)).toBe(access);
});

test("a group that becomes a supergroup stays listed under its new number", async () => {
  const chat = { id: -100, type: "group" };
  const from = { id: operator, is_bot: false, first_name: "Ann" };
  bot.telegram.update({ message: { message_id: 1, date: 0, chat, from, migrate_to_chat_id: -100_777 } });
  await isWorkedOff();
  bot.say("/whoami", -100_777, operator);
  await bot.said(({ text }) => text.includes("-100777"), "the answer in the new group", -100_777);
});
