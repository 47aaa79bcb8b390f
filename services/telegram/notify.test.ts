import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startTelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { judgeAgents } from "./agent-watch.ts";
import { isLike, isQuiet, judgeNotice, kindOfFrame, quietLeftMs } from "./notify-rules.ts";
import {
  basic,
  callService,
  type FleetPair,
  operator,
  startFleet,
  startTelegram,
  type Telegram,
} from "./telegram.fixture.ts";

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

/** Each test begins with a chat in which nothing has happened. */
beforeEach(async () => {
  await fleet.database.pool.query("update telegram_chats set storm = null");
});

const notify = (body: object, service: Pick<Telegram, "url"> = bot) =>
  callService(service.url, "/notify", { method: "POST", body });

test("a notice is told once, however often its key comes", async () => {
  const first = await notify({
    text: "disk of *db-1* is at 91 % & rising",
    severity: "critical",
    dedupeKey: "disk:db-1",
  });
  expect(first.status).toBe(202);
  const again = await notify({ text: "another text", dedupeKey: "disk:db-1" });
  expect(again).toEqual({ status: 202, body: first.body });
  const told = await bot.said(({ text }) => text.includes("disk of *db-1* is at 91 % & rising"));
  expect(told).toMatchObject({ isSilent: false, parseMode: "HTML" });
  await notify({ text: "afterwards", severity: "info" });
  expect((await bot.said(({ text }) => text.includes("afterwards"))).isSilent).toBe(true);
  expect(bot.telegram.messages(operator).some(({ text }) => text.includes("another text"))).toBe(false);
});

test.each([
  [{}, 400],
  [{ text: "" }, 400],
  [{ text: "x", severity: "loud" }, 400],
  [{ text: "x", buttons: [{ text: "a", url: "javascript:x" }] }, 400],
  [{ text: "x", nonsense: 1 }, 400],
])("%j is answered %d", async (body, status) => {
  expect((await notify(body)).status).toBe(status);
});

test("people cannot tell, only services", async () => {
  const reply = await callService(bot.url, "/notify", {
    method: "POST",
    body: { text: "x" },
    headers: { authorization: basic },
  });
  expect(reply.status).toBe(403);
});

test("the same again is counted in one message; an incident is a thread", async () => {
  const again = { text: "queue is long", severity: "warning" };
  await notify(again);
  // Alerts that come before the first is sent are counted in the first, so it is awaited by itself.
  expect((await bot.said(({ text }) => text.includes("queue is long"))).text).not.toContain("×");
  for (let index = 0; index < 3; index++) await notify(again);
  const counted = await bot.said(({ text }) => text.includes("queue is long") && text.includes("×4"));
  expect(bot.telegram.messages(operator).filter(({ text }) => text.includes("queue is long"))).toHaveLength(1);
  expect(counted.history[0]).not.toContain("×");

  await notify({ text: "finding opened", severity: "warning", incident: "finding:7", kind: "finding.opened" });
  const opened = await bot.said(({ text }) => text.includes("finding opened"));
  await notify({ text: "finding resolved", severity: "info", incident: "finding:7", kind: "finding.resolved" });
  expect((await bot.said(({ text }) => text.includes("finding resolved"))).replyTo).toBe(opened.messageId);
});

test("buttons of a notice are bound to the version of the task that it is about", async () => {
  const body = { type: "echo", runAt: "2199-01-01T00:00:00Z", approval: { required: true } };
  const task = (await fleet.call("/task", { method: "POST", body })).body;
  await notify({
    text: "please decide",
    severity: "critical",
    taskId: task.id,
    buttons: ["approve", { text: "Docs", url: "https://example.org/" }],
  });
  const shown = await bot.said(({ text }) => text.includes("please decide"));
  expect(shown.keyboard?.inline_keyboard.flat().map(({ text }) => text)).toEqual(["✅ Approve", "Docs"]);
  const patch = { ifVersion: 1, priority: 3 };
  await fleet.call(`/task/${task.id}`, { method: "PATCH", body: patch, headers: { authorization: basic } });
  expect(await bot.press(shown, "Approve")).toContain("Changed since");
  expect((await fleet.call(`/task/${task.id}`)).body.status).toBe("waiting");
});

test("a task tells too, and its audit shows the message", async () => {
  const task = (
    await fleet.call("/task", {
      method: "POST",
      body: { type: "telegram.notify", payload: { text: "by a task", severity: "warning" } },
    })
  ).body;
  await bot.said(({ text }) => text.includes("by a task"));
  await eventually(async () => {
    const { events, status } = (await fleet.call(`/task/${task.id}`)).body;
    return status === "completed" && events.some(({ kind }: { kind: string }) => kind === "side_effect");
  });
});

test("a failed task that no chat asked for is told by rule, once, also after a restart", async () => {
  await using telegram = await startTelegramStandIn({ token: "7300001:token" });
  const env = { TELEGRAM_BOT_TOKEN: "7300001:token" };
  {
    await using first = await startTelegram({ fleet, telegram, env });
    await eventually(
      async () =>
        (await fleet.database.pool.query("select 1 from telegram_memory where bot = '7300001' and key = 'task-stream'"))
          .rowCount === 1,
    );
    await fleet.call("/task", { method: "POST", body: { type: "echo", payload: { failPermanently: "while it ran" } } });
    await first.said(({ text }) => text.includes("while it ran"));
  }
  await fleet.call("/task", {
    method: "POST",
    body: { type: "echo", payload: { failPermanently: "while it was down" } },
  });
  await using second = await startTelegram({ fleet, telegram, env });
  await second.said(({ text }) => text.includes("while it was down"));
  const told = telegram.messages(operator).map(({ text }) => text);
  expect(told.filter((text) => text.includes("while it ran"))).toHaveLength(1);
  expect(told.filter((text) => text.includes("while it was down"))).toHaveLength(1);
});

test("500 alerts in a minute are at most 20 messages, and not one of them is lost", async () => {
  await using telegram = await startTelegramStandIn({ token: "7300002:token" });
  await using storm = await startTelegram({ fleet, telegram, env: { TELEGRAM_BOT_TOKEN: "7300002:token" } });
  const texts = Array.from(
    { length: 500 },
    (_, index) => `alert number ${index}: ${"the service does not answer its health check ".repeat(3)}`,
  );
  for (let at = 0; at < texts.length; at += 25) {
    const replies = await Promise.all(
      texts.slice(at, at + 25).map((text) => notify({ text, severity: "warning" }, storm)),
    );
    expect(replies.every(({ status }) => status === 202)).toBe(true);
  }
  const isMissing = () => {
    const all = telegram.messages(operator).flatMap(({ history, document }) => [...history, document?.content ?? ""]);
    const told = all.join("\n");
    return texts.filter((text) => !told.includes(text.trim()));
  };
  await eventually(() => isMissing().length === 0, { what: "every alert", timeoutMs: 90_000, everyMs: 500 });
  expect(telegram.messages(operator).length).toBeLessThanOrEqual(20);
  expect(telegram.messages(operator).find(({ document }) => document !== null)?.isSilent).toBe(true);
}, 120_000);

test("a muted chat is told of critical things only, and of the others together when the mute ends, sooner too", async () => {
  await using telegram = await startTelegramStandIn({ token: "7300003:token" });
  await using muted = await startTelegram({ fleet, telegram, env: { TELEGRAM_BOT_TOKEN: "7300003:token" } });
  muted.say("/mute 1h");
  await muted.said(({ text }) => text.includes("No alerts here for 1h"));
  await notify({ text: "a warning", severity: "warning" }, muted);
  await notify({ text: "another warning", severity: "warning" }, muted);
  await notify({ text: "a fire", severity: "critical" }, muted);
  await muted.said(({ text }) => text.includes("a fire"));
  expect(telegram.messages(operator).some(({ text }) => text.includes("a warning"))).toBe(false);
  muted.say("/mute off");
  const page = await muted.said(({ text }) => text.includes("a warning"));
  expect(page.text).toContain("another warning");
});

/** Quiet hours that have begun an hour ago, and end in about two. */
async function quietRules(extra: string) {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-rules-"));
  const path = join(folder, "rules.yaml");
  const time = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
  const quiet = `quietHours: { from: "${time(-1)}", to: "${time(2)}", timezone: UTC${extra} }`;
  const rules = "rules: [{ name: all, on: [approval.wanted], severity: warning }]";
  await writeFile(path, `version: 1\n${quiet}\n${rules}\n`);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

test("in quiet hours messages come without a sound, and what is loud rings", async () => {
  await using rules = await quietRules("");
  await using telegram = await startTelegramStandIn({ token: "7300005:token" });
  const env = { TELEGRAM_BOT_TOKEN: "7300005:token", NOTIFY_RULES_FILE: rules.path };
  await using quiet = await startTelegram({ fleet, telegram, env });
  await notify({ text: "a warning", severity: "warning" }, quiet);
  await notify({ text: "a fire", severity: "critical" }, quiet);
  expect((await quiet.said(({ text }) => text.includes("a warning"))).isSilent).toBe(true);
  expect((await quiet.said(({ text }) => text.includes("a fire"))).isSilent).toBe(false);
});

test("quiet hours that hold keep what is not loud for their end, together, and bring what wants a decision at once", async () => {
  await using rules = await quietRules(", hold: true");
  await using telegram = await startTelegramStandIn({ token: "7300006:token" });
  const env = { TELEGRAM_BOT_TOKEN: "7300006:token", NOTIFY_RULES_FILE: rules.path };
  await using quiet = await startTelegram({ fleet, telegram, env });
  const task = (await fleet.call("/task", { method: "POST", body: { type: "echo", runAt: "2199-01-01T00:00:00Z" } }))
    .body;
  for (const text of ["first warning", "second warning", "third warning"]) {
    await notify({ text, severity: "warning", taskId: task.id }, quiet);
  }
  await notify(
    { text: "please decide", severity: "warning", taskId: task.id, ifVersion: 1, buttons: ["approve"] },
    quiet,
  );
  await notify({ text: "a fire", severity: "critical" }, quiet);
  expect((await quiet.said(({ text }) => text.includes("please decide"))).isSilent).toBe(true);
  await quiet.said(({ text }) => text.includes("a fire"));
  const { rows } = await fleet.database.pool.query(
    `select extract(epoch from not_before - now()) as seconds from telegram_outbox where bot = '7300006' and status = 'queued'`,
  );
  expect(rows).toHaveLength(1);
  expect(Number(rows[0].seconds)).toBeGreaterThan(7_100 - 120);
  expect(Number(rows[0].seconds)).toBeLessThanOrEqual(7_200);
  expect(telegram.messages(operator).some(({ text }) => text.includes("first warning"))).toBe(false);
  await fleet.database.pool.query(
    "update telegram_outbox set not_before = now() where bot = '7300006' and status = 'queued'",
  );
  const page = await quiet.said(({ text }) => text.includes("first warning"));
  expect(page.text).toContain("third warning");
});

test("the end of quiet hours is when the clock on the wall shows it, also in the nights in which it is changed", () => {
  const hours = (at: string, to = "07:00") => quietLeftMs({ to, timezone: "Europe/Berlin" }, at) / 3_600_000;
  expect(hours("2026-11-20T22:30:00Z")).toBe(7.5);
  expect(hours("2026-11-20T06:00:00Z")).toBe(0);
  // The night of 25 October 2026 is an hour longer, that of 29 March an hour shorter.
  expect(hours("2026-10-24T20:00:00Z")).toBe(10);
  expect(hours("2026-03-28T21:00:00Z")).toBe(8);
});

test("every task of a storm knows of the message that it came in, and a run of each edit of its progress", async () => {
  await using telegram = await startTelegramStandIn({ token: "7300007:token" });
  await using bot7 = await startTelegram({ fleet, telegram, env: { TELEGRAM_BOT_TOKEN: "7300007:token" } });
  const made = await Promise.all(
    Array.from({ length: 12 }, () =>
      fleet.call("/task", { method: "POST", body: { type: "echo", runAt: "2199-01-01T00:00:00Z" } }),
    ),
  );
  const ids = made.map(({ body }) => body.id as string);
  for (const [at, taskId] of ids.entries()) await notify({ text: `trouble ${at}`, severity: "warning", taskId }, bot7);
  // The same words about another task are no message of their own.
  await notify({ text: "trouble 0", severity: "warning", taskId: ids[11] }, bot7);
  const effectsOf = async (id: string) =>
    (await fleet.call(`/task/${id}`)).body.events
      .filter(({ kind, data }) => kind === "side_effect" && data.service === "telegram")
      .map(({ data }) => data.outboxId);
  await eventually(async () => (await Promise.all(ids.map(effectsOf))).every((ids_) => ids_.length > 0), {
    what: "a side effect on every task",
    timeoutMs: 30_000,
  });
  const [first, page] = [await effectsOf(ids[0] ?? ""), await effectsOf(ids[8] ?? "")];
  expect(await effectsOf(ids[10] ?? "")).toEqual(page);
  await eventually(async () => (await effectsOf(ids[11] ?? "")).length === 2, {
    what: "both messages",
    timeoutMs: 30_000,
  });
  expect((await effectsOf(ids[11] ?? "")).sort()).toEqual([...first, ...page].sort());

  bot7.say('/new echo {"progressSteps": 4, "delayMs": 600}');
  const run = await bot7.said(({ text }) => text.includes("Task") && text.includes("is on its way"));
  const [runId = ""] = /[0-9a-f-]{36}/.exec(run.text) ?? [];
  await eventually(async () => (await fleet.call(`/task/${runId}`)).body.status === "completed", { timeoutMs: 30_000 });
  const { rows } = await fleet.database.pool.query(
    "select 1 from telegram_outbox where task_id = $1 and bot = '7300007' and edits is not null",
    [runId],
  );
  expect(rows.length).toBeGreaterThan(0);
  const isWhole = async () => {
    const all = await fleet.database.pool.query(
      "select id from telegram_outbox where task_id = $1 and bot = '7300007' and status = 'sent' order by id",
      [runId],
    );
    const wanted = all.rows.map(({ id }: { id: string }) => id).sort();
    return JSON.stringify([...new Set(await effectsOf(runId))].sort()) === JSON.stringify(wanted) && wanted.length > 2;
  };
  await eventually(isWhole, { what: "a side effect of every message and edit", timeoutMs: 30_000 });
});

test.each([
  ["22:00", "07:00", "warning", "23:30", true],
  ["22:00", "07:00", "warning", "06:59", true],
  ["22:00", "07:00", "warning", "07:00", false],
  ["22:00", "07:00", "critical", "23:30", false],
  ["12:00", "13:00", "info", "12:30", true],
] as const)("quiet from %s to %s, %s at %s: %s", (...given) => {
  const [from, to, severity, time, quiet] = given;
  expect(isQuiet({ from, to, timezone: "UTC" }, severity, time)).toBe(quiet);
});

test.each([
  ["render.*", "render.deploy", true],
  ["*", "", true],
  ["*.deploy", "render.deploy", true],
  ["r*r.d*y", "render.deploy", true],
  ["a*a", "a", false],
  ["echo", "echos", false],
])("%s is like %s: %s", (glob, text, like) => {
  expect(isLike(glob, text)).toBe(like);
});

test("the first rule that fits decides, and what services tell is told without a rule", () => {
  const rules = [
    { name: "quiet", on: ["task.failed" as const], types: ["echo"], drop: true },
    { name: "all", on: ["task.failed" as const], exceptTypes: ["telegram.*"], severity: "warning" as const },
  ];
  const judge = (type: string) => judgeNotice(rules, { kind: "task.failed", type, severity: null })?.rule ?? null;
  expect([judge("echo"), judge("work"), judge("telegram.notify")]).toEqual([null, "all", null]);
  expect(judgeNotice(rules, { kind: "notice", type: null, severity: "info" })?.rule).toBe("none");
  expect(judgeNotice(rules, { kind: "task.completed", type: "work", severity: null })).toBeNull();
});

test("an approval is wanted when a task begins to wait for it, whatever made it wait", () => {
  const task = { status: "waiting", waitingFor: "approval" } as never;
  const kindOf = (event: object) => kindOfFrame({ task, event: { data: {}, ...event } as never });
  expect(kindOf({ kind: "approval_requested" })).toBe("approval.wanted");
  expect(kindOf({ kind: "patched", data: { changes: { status: { from: "failed", to: "waiting" } } } })).toBe(
    "approval.wanted",
  );
  expect(kindOf({ kind: "patched", data: { changes: { priority: { from: 0, to: 1 } } } })).toBeNull();
  expect(kindOf({ kind: "created" })).toBeNull();
});

test("an agent is missed when none of its instances lives, unless it said goodbye or was never seen", () => {
  const agent = (name: string, state: "live" | "stale", types = 1) => ({
    name,
    instance: `${name}-${state}`,
    url: "http://a",
    types: Array.from({ length: types }, () => ({ type: "t", path: "/" })),
    lastSeenAt: "2026-01-01T00:00:00.000Z",
    state,
    running: 0,
  });
  const look = (known: Record<string, "live" | "gone">, ...agents: ReturnType<typeof agent>[]) =>
    judgeAgents(known, agents).changes.map(({ name, kind }) => `${name} ${kind}`);
  expect(look({ a: "live" }, agent("a", "stale"))).toEqual(["a agent.gone"]);
  expect(look({ a: "gone" }, agent("a", "live"), agent("a", "stale"))).toEqual(["a agent.back"]);
  expect(look({ a: "live" }, agent("a", "live"), agent("a", "stale"))).toEqual([]);
  expect(look({ a: "live" }, agent("a", "stale", 0))).toEqual([]);
  expect(look({}, agent("a", "stale"))).toEqual([]);
});
