import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { createInterface } from "node:readline";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startTelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callService, type FleetPair, startFleet, startTelegram } from "./telegram.fixture.ts";

let fleet: FleetPair;
beforeAll(async () => {
  fleet = await startFleet({ hasEcho: false });
});
afterAll(() => fleet[Symbol.asyncDispose]());

/** A Slack that remembers, and refuses as it is told. */
async function startSlack() {
  const texts: string[] = [];
  const refusals: number[] = [];
  const server = createHttpServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const status = refusals.shift() ?? 200;
    if (status === 200) texts.push((JSON.parse(body) as { text: string }).text);
    response.writeHead(status).end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    texts,
    refusals,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T0/B0/secret`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a mail server that says yes to everything answers to a line, as RFC 5321 has it; null while a mail goes on. */
function buildMailbox(mails: string[]) {
  let data: string[] | null = null;
  return (line: string): string | null => {
    if (data !== null && line !== ".") {
      data.push(line);
      return null;
    }
    if (data !== null) mails.push(data.join("\n"));
    data = data === null && line === "DATA" ? [] : null;
    if (data !== null) return "354 go on";
    return line.startsWith("QUIT") ? "221 bye" : "250 ok";
  };
}

async function startMail() {
  const mails: string[] = [];
  const server = createTcpServer((socket) => {
    const answer = buildMailbox(mails);
    socket.on("error", () => undefined);
    socket.write("220 mail.test\r\n");
    createInterface({ input: socket }).on("line", (line) => {
      const said = answer(line);
      if (said !== null) socket.write(`${said}\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    mails,
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("notices reach Slack and a mailbox too, once, and a channel that is away is told later", async () => {
  await using slack = await startSlack();
  await using mail = await startMail();
  await using telegram = await startTelegramStandIn();
  slack.refusals.push(503, 429);
  await using bot = await startTelegram({
    fleet,
    telegram,
    env: { NOTIFY_SLACK_WEBHOOK_URL: slack.url, NOTIFY_SMTP_URL: mail.url, NOTIFY_MAIL_TO: "ops@example.org" },
  });
  for (const text of ["disk <full>", "disk <full> again"]) {
    await callService(bot.url, "/notify", { method: "POST", body: { text, severity: "critical", dedupeKey: text } });
  }
  await eventually(() => slack.texts.join("\n").includes("disk &lt;full&gt; again"), { timeoutMs: 30_000 });
  await eventually(() => mail.mails.join("\n").includes("disk <full> again"), { timeoutMs: 30_000 });
  const told = slack.texts.join("\n");
  expect(told.split("[critical]")).toHaveLength(3);
  expect(mail.mails[0]).toContain("To: ops@example.org");
  const { rows } = await fleet.database.pool.query(
    "select channel, count(*)::int as count from telegram_told group by channel order by 1",
  );
  expect(rows).toEqual([
    { channel: "mail", count: 2 },
    { channel: "slack", count: 2 },
  ]);
});

test("what a channel refuses for good holds up nothing after it", async () => {
  await using slack = await startSlack();
  await using telegram = await startTelegramStandIn({ token: "7400001:token" });
  slack.refusals.push(400);
  const env = { NOTIFY_SLACK_WEBHOOK_URL: slack.url, TELEGRAM_BOT_TOKEN: "7400001:token" };
  await using bot = await startTelegram({ fleet, telegram, env });
  await callService(bot.url, "/notify", { method: "POST", body: { text: "poison" } });
  await eventually(
    async () => (await fleet.database.pool.query("select 1 from telegram_told where error is not null")).rowCount === 1,
  );
  await callService(bot.url, "/notify", { method: "POST", body: { text: "after it" } });
  await eventually(() => slack.texts.some((text) => text.includes("after it")), { timeoutMs: 30_000 });
});
