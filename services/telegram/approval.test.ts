import { eventually } from "@signalbox/testing/eventually.ts";
import { startTcpProxy } from "@signalbox/testing/tcp-proxy.ts";
import { startTelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  basic,
  type FleetPair,
  operator,
  registerType,
  startFleet,
  startTelegram,
  type Telegram,
} from "./telegram.fixture.ts";

let fleet: FleetPair;
let bot: Telegram;
beforeAll(async () => {
  fleet = await startFleet({ hasEcho: false });
  await registerType(fleet, [{ type: "costly", path: "/run" }]);
  bot = await startTelegram({ fleet });
  await eventually(() => bot.app.isLeading());
  await eventually(
    async () =>
      (await fleet.database.pool.query("select 1 from telegram_memory where key = 'task-stream'")).rowCount === 1,
  );
});
afterAll(async () => {
  await bot[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

async function askApproval(reason: string) {
  const body = {
    type: "costly",
    payload: { amount: 5 },
    runAt: "2199-01-01T00:00:00Z",
    approval: { required: true, reason },
  };
  const task = (await fleet.call("/task", { method: "POST", body })).body;
  const shown = await bot.said(({ text }) => text.includes(task.id) && text.includes(reason), "the question");
  return { task, shown };
}

const read = async (id: string) => (await fleet.call(`/task/${id}`)).body;

test("what wants approval is shown with its payload, and one press approves it in the person's name", async () => {
  const { task, shown } = await askApproval("it costs five");
  expect(shown.text).toContain('"amount": 5');
  expect(await bot.press(shown, "Approve")).toBe("Approved");
  const { approval, events, status } = await read(task.id);
  expect(status).toBe("queued");
  expect(approval?.decidedBy).toBe(String(operator));
  expect(events.find(({ kind }: { kind: string }) => kind === "approved")).toMatchObject({
    actor: String(operator),
    version: 2,
    data: { note: "Person 42 in Telegram" },
  });
  const after = await bot.said(({ messageId, text }) => messageId === shown.messageId && text.includes("✅ Approved"));
  expect(after.keyboard).toBeNull();
});

test("a press that comes twice decides once, and the second is told the same", async () => {
  const { task, shown } = await askApproval("twice");
  expect(await Promise.all([bot.press(shown, "Approve"), bot.press(shown, "Approve")])).toEqual([
    "Approved",
    "Approved",
  ]);
  const { events } = await read(task.id);
  expect(events.filter(({ kind }: { kind: string }) => kind === "approved")).toHaveLength(1);
});

test("a press on what has changed since never approves: it says what changed, and offers the task as it is now", async () => {
  const { task, shown } = await askApproval("stale");
  const patch = { ifVersion: 1, payload: { amount: 5_000 } };
  await fleet.call(`/task/${task.id}`, { method: "PATCH", body: patch, headers: { authorization: basic } });
  expect(await bot.press(shown, "Approve")).toContain("Changed since");
  const changed = await bot.said(({ messageId, text }) => messageId === shown.messageId && text.includes("5000"));
  expect(changed.text).toContain('payload: {"amount":5} → {"amount":5000}');
  expect(await read(task.id)).toMatchObject({ status: "waiting", version: 2 });
  // The word of the old button stays stale, whoever still has it.
  const data = await oldToken(task.id, 1);
  const { queryId } = bot.telegram.press({ chatId: operator, userId: operator, messageId: shown.messageId, data });
  await eventually(() => bot.telegram.queries.get(queryId)?.isAnswered);
  expect(await read(task.id)).toMatchObject({ status: "waiting", version: 2 });
  expect(await bot.press(changed, "Approve")).toBe("Approved");
  expect(await read(task.id)).toMatchObject({ status: "queued", version: 3 });
});

async function oldToken(taskId: string, version: number): Promise<string> {
  const { rows } = await fleet.database.pool.query(
    "select token from telegram_buttons where task_id = $1 and if_version = $2 and action = 'approve'",
    [taskId, version],
  );
  return rows[0].token;
}

test("what was decided elsewhere is shown here, without buttons", async () => {
  const { task, shown } = await askApproval("elsewhere");
  const body = { ifVersion: 1, note: "not today" };
  await fleet.call(`/task/${task.id}/reject`, { method: "POST", body, headers: { authorization: basic } });
  const after = await bot.said(({ messageId, text }) => messageId === shown.messageId && text.includes("not today"));
  expect(after.keyboard).toBeNull();
});

test("buttons are nothing to strangers, to other people, under other messages, when invented, and when too old", async () => {
  const { task, shown } = await askApproval("guarded");
  const data = shown.keyboard?.inline_keyboard[0]?.[0]?.callback_data ?? "";
  expect(Buffer.byteLength(data)).toBe(22);
  const press = async (userId: number, messageId: number, word: string, chatId = operator) => {
    const { queryId } = bot.telegram.press({ chatId, userId, messageId, data: word });
    const query = await eventually(
      () => bot.telegram.queries.get(queryId)?.isAnswered && bot.telegram.queries.get(queryId),
    );
    return query.answer;
  };
  expect(await press(666, shown.messageId, data)).toContain("private");
  await fleet.database.pool.query(
    "insert into telegram_members (bot, user_id, name, paired_by) values ($1, 77, 'Bob', 'person:operator')",
    [String(bot.telegram.bot.id)],
  );
  expect(await press(77, shown.messageId, data)).toContain("somebody else");
  expect(await press(operator, shown.messageId + 1_000, data)).toContain("does nothing");
  expect(await press(operator, shown.messageId, "approve:everything")).toContain("does nothing");
  expect(await press(operator, shown.messageId, data, 77)).toContain("does nothing");
  await fleet.database.pool.query("update telegram_buttons set expires_at = now() - interval '1 s' where token = $1", [
    data,
  ]);
  expect(await press(operator, shown.messageId, data)).toContain("too old");
  expect(await read(task.id)).toMatchObject({ status: "waiting", version: 1 });
  await fleet.database.pool.query("delete from telegram_members");
});

test("a typed /approve decides about what this chat was shown, and shows first what it has not seen", async () => {
  const { task } = await askApproval("typed");
  await fleet.call(`/task/${task.id}`, {
    method: "PATCH",
    body: { ifVersion: 1, priority: 5 },
    headers: { authorization: basic },
  });
  bot.say(`/approve ${task.id}`);
  await bot.said(({ text }) => text.includes("Look at it as it is now") && text.includes(task.id));
  expect(await read(task.id)).toMatchObject({ status: "waiting", version: 2 });
  bot.say(`/approve ${task.id}`);
  await bot.said(({ text }) => text === "✅ Approved.");
  expect(await read(task.id)).toMatchObject({ status: "queued", version: 3 });
});

test("a press while the orchestrator is away is kept, and done when it is back", async () => {
  await using own = await startFleet({ hasEcho: false });
  await registerType(own, [{ type: "costly", path: "/run" }]);
  await using telegram = await startTelegramStandIn();
  await using proxy = await startTcpProxy(() => [own.orchestrator.port]);
  const orchestrator = { ...own.orchestrator, url: `http://127.0.0.1:${proxy.port}` };
  await using other = await startTelegram({ fleet: { database: own.database, orchestrator }, telegram });
  await eventually(
    async () =>
      (await own.database.pool.query("select 1 from telegram_memory where key = 'task-stream'")).rowCount === 1,
  );
  const body = { type: "costly", runAt: "2199-01-01T00:00:00Z", approval: { required: true } };
  const task = (await own.call("/task", { method: "POST", body })).body;
  const shown = await other.said(({ text }) => text.includes(task.id));
  proxy.set({ kind: "refuse" });
  proxy.cut();
  expect(await other.press(shown, "Approve")).toContain("does not answer");
  proxy.set({ kind: "clear" });
  await eventually(async () => (await own.call(`/task/${task.id}`)).body.status === "queued", { timeoutMs: 20_000 });
});
