import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { findingStatuses } from "./finding.ts";
import { acts, isDeclinedAlike, judgeAct } from "./finding-acts.ts";
import {
  type Answer,
  addEvents,
  addHistory,
  dayMs,
  hourMs,
  type Items,
  minuteMs,
  startAt,
  startWatcher,
  type Watcher,
} from "./watcher.fixture.ts";

type Named = { name: string };

const hour = startAt - 20 * minuteMs;

async function withDrop(definition: object = {}): Promise<Watcher> {
  const watcher = await startWatcher();
  addHistory(watcher, "other", { until: hour + 30 * dayMs, value: 300 });
  addHistory(watcher, "signed_up");
  await watcher.put("signups", { event: "signed_up", ...definition });
  await watcher.run();
  addEvents(watcher, "signed_up", { from: hour, to: hour + hourMs, value: 60 });
  await watcher.later(hourMs);
  return watcher;
}

const theFinding = async (watcher: Watcher) => {
  const [finding] = await watcher.findings();
  if (!finding) throw new Error("nothing was found");
  return finding;
};
const kindsOf = async (watcher: Watcher, id: string): Promise<string[]> =>
  (await watcher.call(`/findings/${id}`)).body.events.map(({ kind }) => kind);

test("every act on every status has a meaning", () => {
  const cells = findingStatuses.map((status) => acts.map((act) => judgeAct(status, act)));
  expect(cells).toEqual([
    ["acknowledged", "snoozed", "resolved", "declined"],
    ["same", "snoozed", "resolved", "declined"],
    ["acknowledged", "snoozed", "resolved", "declined"],
    ["refused", "refused", "same", "declined"],
    ["refused", "refused", "refused", "same"],
  ]);
});

test("an act is recorded with its actor, and twice is once", async () => {
  await using watcher = await withDrop();
  const { id, version } = await theFinding(watcher);
  const first = await watcher.call(`/findings/${id}/ack`, { method: "POST" });
  expect(first).toMatchObject({ status: 200, etag: `"${version + 1}"`, body: { status: "acknowledged" } });
  expect((await watcher.call(`/findings/${id}/ack`, { method: "POST" })).etag).toBe(`"${version + 1}"`);
  const { body } = await watcher.call(`/findings/${id}`);
  expect(body.events.at(-1)).toMatchObject({ kind: "acknowledged", actor: "person:person" });
  expect(body.events.map(({ kind }) => kind)).toEqual(["opened", "acknowledged"]);
});

test("what makes no sense is refused: 422 for the wrong status, 404, 400", async () => {
  await using watcher = await withDrop();
  const { id } = await theFinding(watcher);
  await watcher.call(`/findings/${id}/decline`, { body: { reason: "expected" } });
  expect(await watcher.call(`/findings/${id}/ack`, { body: {} })).toMatchObject({
    status: 422,
    body: { error: { code: "illegal_transition" } },
  });
  const unknown = "01890000-0000-7000-8000-000000000000";
  expect((await watcher.call(`/findings/${unknown}/ack`, { body: {} })).status).toBe(404);
  expect((await watcher.call(`/findings/${id}/decline`, { body: {} })).status).toBe(400);
  expect((await watcher.call(`/findings/${id}/snooze`, { body: { until: "2020-01-01T00:00:00Z" } })).status).toBe(400);
  expect((await watcher.call("/findings?status=broken")).status).toBe(400);
});

test("snoozed it is silent until its time", async () => {
  await using watcher = await withDrop({ severity: "warning" });
  const { id } = await theFinding(watcher);
  addEvents(watcher, "signed_up", { from: hour + hourMs, to: hour + 5 * hourMs, value: 60 });
  const until = new Date(watcher.clock.at + 90 * minuteMs).toISOString();
  expect((await watcher.call(`/findings/${id}/snooze`, { body: { until } })).body).toMatchObject({
    status: "snoozed",
    snoozedUntil: until,
  });
  await watcher.later(hourMs);
  expect((await theFinding(watcher)).status).toBe("snoozed");
  await watcher.later(hourMs);
  expect(await theFinding(watcher)).toMatchObject({ status: "open", snoozedUntil: null });
  expect(await kindsOf(watcher, id)).toEqual(["opened", "snoozed", "woke"]);
});

test("snoozed it wakes when it gets worse", async () => {
  await using watcher = await withDrop({ severity: { warning: 5.5, critical: 15 } });
  const { id, severity } = await theFinding(watcher);
  expect(severity).toBe("warning");
  await watcher.call(`/findings/${id}/snooze`, { body: { until: new Date(watcher.clock.at + dayMs).toISOString() } });
  await watcher.later(hourMs);
  expect(await theFinding(watcher)).toMatchObject({ status: "open", severity: "critical" });
  expect(await kindsOf(watcher, id)).toEqual(["opened", "snoozed", "worsened", "woke"]);
});

test("declined, the same is not told again at the same hour a week later; a bigger one is", async () => {
  const at = Date.parse("2026-03-02T12:00:00Z");
  const declined = { evidence: { since: new Date(at).toISOString(), changePercent: -40 }, note: "expected" };
  const seen = (later: number, value: number) => ({
    ...{
      at: at + later,
      value,
      expected: 100,
      volume: null,
      score: -9,
      low: 90,
      high: 110,
      isLearning: false,
      isHoliday: false,
    },
  });
  const week = 7 * dayMs;
  expect(isDeclinedAlike([declined], seen(week, 58))).toBe(true);
  expect(isDeclinedAlike([declined], seen(week + 2 * hourMs, 55))).toBe(true);
  expect(isDeclinedAlike([declined], seen(week, 40))).toBe(false);
  expect(isDeclinedAlike([declined], seen(week + 5 * hourMs, 58))).toBe(false);
  expect(isDeclinedAlike([{ ...declined, note: "outage" }], seen(week, 58))).toBe(false);
});

test("declined while it goes on, it is not raised again; the next one is", async () => {
  await using watcher = await withDrop();
  const { id } = await theFinding(watcher);
  await watcher.call(`/findings/${id}/decline`, { body: { reason: "not interesting" } });
  addEvents(watcher, "signed_up", { from: hour + hourMs, to: hour + 3 * hourMs, value: 60 });
  addHistory(watcher, "signed_up", { from: hour + 3 * hourMs, until: hour + 12 * hourMs });
  for (let hours = 0; hours < 11; hours++) await watcher.later(hourMs);
  expect((await watcher.findings()).map(({ status }) => status)).toEqual(["declined"]);
  await watcher.later(2 * hourMs);
  expect((await watcher.findings()).map(({ status }) => status)).toEqual(["open", "declined"]);
});

test("back within its cooldown it is the same finding", async () => {
  await using watcher = await withDrop({ cooldown: "1d" });
  addHistory(watcher, "signed_up", { from: hour + hourMs, until: hour + 6 * hourMs });
  for (let hours = 0; hours < 5; hours++) await watcher.later(hourMs);
  const { id, status } = await theFinding(watcher);
  expect(status).toBe("resolved");
  await watcher.later(2 * hourMs);
  expect(await watcher.findings()).toMatchObject([{ id, status: "open", reopened: 1 }]);
  expect(await kindsOf(watcher, id)).toEqual(["opened", "resolved", "reopened"]);
});

test("three times not interesting suggests a higher limit, and changes nothing", async () => {
  await using watcher = await withDrop();
  await watcher.database.pool.query(`insert into watch_findings
    select gen_random_uuid(), monitor, series, direction, dedupe_key || n, 'declined', severity, title, opened_at, evidence, probable_causes, observed,
           proposed_task_ids, version, group_name, owner, runbook, null, null, updated_at, 0, 'not interesting' from watch_findings, generate_series(1, 3) n`);
  const { body } = await watcher.call("/monitors/signups");
  expect(body).toMatchObject({
    precision: { told: 4, declined: 3, precision: 0.25 },
    suggestion: expect.stringContaining("trigger.score of 7.2 instead of 5.5"),
  });
});

test("a monitor is replaced only by who saw it; a file's is overridden and shows its origin", async () => {
  await using watcher = await startWatcher({ env: { MONITORS_DIR: "infra/monitors" } });
  const shipped = await watcher.call("/monitors/pageviews");
  expect(shipped).toMatchObject({
    status: 200,
    etag: '"1"',
    body: { origin: "file", definition: { event: "$pageview" } },
  });
  const changed = { event: "$pageview", direction: "down" };
  expect((await watcher.put("pageviews", changed)).status).toBe(428);
  expect((await watcher.put("pageviews", changed, { "if-match": '"7"' })).status).toBe(409);
  const put = await watcher.put("pageviews", changed, { "if-match": '"1"' });
  expect(put).toMatchObject({ status: 200, etag: '"2"', body: { origin: "database", updatedBy: "person:person" } });
  expect((await watcher.put("pageviews", changed, { "if-match": '"1"' })).body.error.code).toBe("version_conflict");
  expect((await watcher.put("pageviews", changed, { "if-match": '"2"' })).etag).toBe('"3"');
  expect((await watcher.put("mine", { event: "e" })).status).toBe(201);
  expect((await watcher.put("other", { event: "e" }, { "if-match": '"1"' })).status).toBe(409);
  const names: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Answer<Items<Named>> = await watcher.call<Items<Named>>(
      `/monitors?limit=2${cursor && `&cursor=${cursor}`}`,
    );
    names.push(...page.body.items.map(({ name }) => name));
    cursor = page.body.nextCursor;
  }
  expect(names).toEqual((await watcher.call<Items<Named>>("/monitors")).body.items.map(({ name }) => name));
  const wrong = await watcher.put("wrong", { event: "e", baseline: { kind: "limits" } });
  expect(wrong).toMatchObject({ status: 400, body: { error: { details: [{ path: "/trigger" }] } } });
});

test("a monitor that watches another series begins anew, and what it had found is over", async () => {
  await using watcher = await withDrop();
  addHistory(watcher, "bought", { until: hour + 3 * hourMs });
  await watcher.put("signups", { event: "bought" }, { "if-match": '"1"' });
  await watcher.run();
  expect(await theFinding(watcher)).toMatchObject({
    status: "resolved",
    note: "the monitor watches something else now",
  });
});

test("a dry run says when it would have fired, and keeps nothing", async () => {
  await using watcher = await startWatcher();
  addHistory(watcher, "signed_up", { until: hour - 5 * dayMs });
  addHistory(watcher, "signed_up", { from: hour - 5 * dayMs + 4 * hourMs, until: hour });
  const { status, body } = await watcher.call<{ findings: unknown[]; findingsAWeek: number }>(
    "/monitors/would-be/dry-run",
    {
      body: { definition: { event: "signed_up" } },
    },
  );
  expect(status).toBe(200);
  expect(body.findings).toMatchObject([
    {
      severity: "critical",
      since: new Date(hour - 5 * dayMs).toISOString(),
      raisedAt: new Date(hour - 5 * dayMs).toISOString(),
      endedAt: expect.any(String),
    },
  ]);
  expect(body.findingsAWeek).toBeCloseTo(7 / 30, 1);
  expect(await watcher.findings()).toEqual([]);
  expect((await watcher.call<Items<Named>>("/monitors")).body.items).toEqual([]);
  const wrong = await watcher.call("/monitors/x/dry-run", {
    body: { definition: { query: "SELECT nope(1) FROM events WHERE timestamp >= {from} AND timestamp < {to}" } },
  });
  expect(wrong).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining("nope") } } });
});

test("the webhook wants its token, triggers a look, and its content is no evidence", async () => {
  await using watcher = await startWatcher();
  await watcher.put("signups", { event: "signed_up" });
  const post = (headers: Record<string, string>, body: unknown = { monitor: "signups", value: 0, status: "firing" }) =>
    watcher.call("/webhooks/posthog", { body, headers, as: "nobody" });
  expect((await post({})).status).toBe(401);
  expect((await post({ authorization: "Bearer wrong-secret" })).status).toBe(401);
  const good = { authorization: "Bearer webhook-secret" };
  expect(await post(good)).toMatchObject({ status: 202, body: { monitor: "signups" } });
  expect(await post(good, { monitor: "unknown" })).toMatchObject({ status: 202, body: { monitor: null } });
  await watcher.run();
  expect(await watcher.findings()).toEqual([]);
});

test("where a signing secret is set, the signature must be right too", async () => {
  const secret = `whsec_${Buffer.from("a secret of 32 bytes, or nearly so").toString("base64")}`;
  await using watcher = await startWatcher({ env: { POSTHOG_WEBHOOK_SIGNING_SECRET: secret } });
  const body = { monitor: "x" };
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const sign = (text: string) =>
    `v1,${createHmac("sha256", Buffer.from(secret.slice(6), "base64"))
      .update(text)
      .digest("base64")}`;
  const send = (signature: string) =>
    watcher.call("/webhooks/posthog", {
      ...{ body, as: "nobody" as const },
      headers: {
        authorization: "Bearer webhook-secret",
        "webhook-id": "m1",
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
      },
    });
  expect((await send(sign(`m1.${timestamp}.{}`))).status).toBe(401);
  expect((await send(sign(`m1.${timestamp}.${JSON.stringify(body)}`))).status).toBe(202);
});
