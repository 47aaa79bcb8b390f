import type { OutcomeList, SignatureList } from "@signalbox/common/contracts/outcome.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { expect, test } from "vitest";
import { basic, type Logging, startLogging } from "./logging.fixture.ts";

const event = (more: object = {}) => ({
  source: "bot",
  cycle_id: "c1",
  sig_hash: "s1",
  event_kind: "ok",
  ok: true,
  ...more,
});

async function send(logging: Logging, body: unknown, type = "application/json") {
  const answer = await fetch(`${logging.url}/event`, {
    method: "POST",
    headers: { authorization: basic, "content-type": type },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

const taken = { status: 202, body: { accepted: 1, rejected: [] } };

test.concurrent("every field of an outcome is kept, unknown ones inside extra, secrets hidden", async () => {
  await using logging = await startLogging();
  const full = event({
    staffer_id: "gpt-oss:120b",
    turns: 7,
    duration_ms: 1234.6,
    extra: { gap: "x", token: "abc" },
    mood: "good",
  });
  expect(await send(logging, full)).toEqual(taken);
  expect(await send(logging, event({ cycle_id: "c2", extra: null, gap: 1 }))).toEqual(taken);
  const { body } = await logging.get<OutcomeList>("/events");
  expect(body).toEqual({
    items: [
      expect.objectContaining({ cycle_id: "c2", staffer_id: null, turns: null, duration_ms: null, extra: { gap: 1 } }),
      {
        id: expect.any(String),
        at: expect.any(String),
        ...event(),
        staffer_id: "gpt-oss:120b",
        turns: 7,
        duration_ms: 1235,
        extra: { gap: "x", token: "[redacted]", mood: "good" },
      },
    ],
    nextCursor: null,
  });
});

test.concurrent("an outcome that is delivered twice is stored once, with an id and without", async () => {
  await using logging = await startLogging();
  const { ok, ...rest } = event();
  for (const body of [event(), { ok, ...rest }, event()]) expect(await send(logging, body)).toEqual(taken);
  const id = uuidv7();
  for (const more of [{ id }, { id: id.toUpperCase(), turns: 2 }])
    expect(await send(logging, event(more))).toEqual(taken);
  expect(await send(logging, event({ turns: 1 }))).toEqual(taken);
  expect((await logging.get<OutcomeList>("/events")).body.items).toHaveLength(3);
});

test.concurrent.each([
  [{}],
  [event({ ok: "yes" })],
  [event({ sig_hash: "" })],
  [event({ turns: -1 })],
  [event({ id: "x" })],
])("%j is a 400", async (body) => {
  await using logging = await startLogging();
  expect((await send(logging, body)).body.error.code).toBe("invalid_request");
});

test.concurrent("several come as an array or as lines, and a bad one rejects itself alone", async () => {
  await using logging = await startLogging();
  const lines = [event({ cycle_id: "a" }), { ok: true }, event({ cycle_id: "b" })];
  const answers = [
    await send(logging, lines),
    await send(logging, lines.map((line) => JSON.stringify(line)).join("\n"), "application/x-ndjson"),
  ];
  for (const { status, body } of answers) {
    expect([status, body.accepted, body.rejected.map(({ index }: { index: number }) => index)]).toEqual([202, 2, [1]]);
  }
  expect((await logging.get<OutcomeList>("/events")).body.items).toHaveLength(2);
});

test.concurrent("filters select, and pages meet each outcome once", async () => {
  await using logging = await startLogging();
  await send(
    logging,
    Array.from({ length: 25 }, (_, n) =>
      event({
        cycle_id: `c${n}`,
        source: n % 5 === 0 ? "autotune" : "bot",
        ok: n % 2 === 0,
        sig_hash: `s${n % 3}`,
        event_kind: `k${n % 4}`,
      }),
    ),
  );
  const count = async (query: string) => (await logging.get<OutcomeList>(`/events?${query}`)).body.items.length;
  expect(await count("source=autotune")).toBe(5);
  expect(await count("ok=false")).toBe(12);
  expect(await count("sig_hash=s1&ok=true")).toBe(4);
  expect(await count("event_kind=k3")).toBe(6);
  expect(await count(`since=${new Date(Date.now() + 60_000).toISOString()}`)).toBe(0);
  const seen: string[] = [];
  for (let cursor = ""; ; ) {
    const { body } = await logging.get<OutcomeList>(`/events?limit=7${cursor}`);
    seen.push(...body.items.map((item) => item.cycle_id));
    if (body.nextCursor === null) break;
    cursor = `&cursor=${body.nextCursor}`;
  }
  expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => `c${24 - n}`));
  expect((await logging.get<OutcomeList>("/events?ok=maybe")).status).toBe(400);
  expect((await logging.get<OutcomeList>("/events?cursor=x")).status).toBe(400);
});

test.concurrent("signatures count, rate and follow their outcomes, the latest first", async () => {
  await using logging = await startLogging();
  const rounds = [...Array(10).fill(false), ...Array(10).fill(true)].map((ok, n) =>
    event({ cycle_id: `c${n}`, ok, sig_hash: "better" }),
  );
  await send(logging, [event({ sig_hash: "old", cycle_id: "x" }), ...rounds, event({ sig_hash: "new", ok: false })]);
  const { body } = await logging.get<SignatureList>("/events/signatures");
  expect(body.items).toMatchObject([
    { sig_hash: "new", count: 1, success_rate: 0, trend: null, recent: [false], last: { ok: false } },
    { sig_hash: "better", count: 20, success_rate: 0.5, trend: 1, last: { cycle_id: "c19", ok: true } },
    { sig_hash: "old", count: 1, success_rate: 1, trend: null, recent: [true], last: { cycle_id: "x" } },
  ]);
  const first = (await logging.get<SignatureList>("/events/signatures?limit=2")).body;
  const second = (await logging.get<SignatureList>(`/events/signatures?limit=2&cursor=${first.nextCursor}`)).body;
  expect([...first.items, ...second.items]).toEqual(body.items);
  expect(second.nextCursor).toBeNull();
  expect((await logging.get<SignatureList>("/events/signatures?sig_hash=better&ok=true")).body.items).toMatchObject([
    { sig_hash: "better", count: 10, success_rate: 1 },
  ]);
});

test.concurrent("ends of tasks stand beside the outcomes of observers", async () => {
  await using logging = await startLogging();
  const { pool } = logging.database;
  const ids = [uuidv7(), uuidv7(), uuidv7()];
  const task = `insert into tasks (id, type, source, status, payload, trace_id, attempt, max_attempts, attempt_budget,
      run_at, timeout_ms, ready, finished_at, agent)
    values ($1, $2, $3, $4, '{}', repeat('a', 32), 1, 3, 3, now(), 1000, false, now(), 'echo-agent')`;
  const end = `insert into task_events (task_id, kind, actor, version, data, state, at) values ($1, $2, 'test', 1, $3, '[]', $4)`;
  const seconds = (n: number) => new Date(Date.now() - 60_000 + n * 1_000).toISOString();
  await pool.query(task, [ids[0], "echo", "api", "completed"]);
  await pool.query(task, [ids[1], "report", "schedule:nightly", "failed"]);
  await send(logging, event({ cycle_id: "bot", at: seconds(2) }));
  await pool.query(end, [ids[0], "started", {}, seconds(0)]);
  await pool.query(end, [ids[0], "completed", { durationMs: 12 }, seconds(1)]);
  await pool.query(end, [ids[1], "failed", { durationMs: 30, error: { code: "agent_timeout" } }, seconds(3)]);
  const { items } = (await logging.get<OutcomeList>("/events")).body;
  expect(items.map((item) => [item.source, item.cycle_id])).toEqual([
    ["schedule", ids[1]],
    ["bot", "bot"],
    ["task", ids[0]],
  ]);
  expect(items[0]).toMatchObject({
    sig_hash: "task:report",
    event_kind: "agent_timeout",
    ok: false,
    duration_ms: 30,
    turns: 1,
  });
  const list = async (query: string) => (await logging.get<OutcomeList>(`/events?${query}`)).body.items.length;
  expect(await list("source=task")).toBe(1);
  expect(await list("source=schedule&ok=false&event_kind=agent_timeout")).toBe(1);
  expect(await list("sig_hash=task:echo&ok=true")).toBe(1);
  expect(await list("source=bot")).toBe(1);
  const first = (await logging.get<OutcomeList>("/events?limit=1")).body;
  const second = (await logging.get<OutcomeList>(`/events?limit=1&cursor=${first.nextCursor}`)).body;
  expect(second.items).toMatchObject([{ source: "bot" }]);
});
