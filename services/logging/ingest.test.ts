import { gzipSync } from "node:zlib";
import type { Log } from "@signalbox/common/contracts/log.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { expect, test } from "vitest";
import { basic, internalKey, startLogging } from "./logging.fixture.ts";

const record = (message: string, more: object = {}) => ({ level: "info", service: "test", message, ...more });
const hourMs = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

test.concurrent("one object is stored with all its fields, and unnamed ones are kept in data", async () => {
  await using logging = await startLogging();
  const given = {
    ...record("hello", { level: "warn" }),
    id: uuidv7(),
    at: "2026-01-01T00:00:00.123+01:00",
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    correlationId: "c-1",
    taskId: uuidv7().toUpperCase(),
    data: { a: 1, runId: "theirs" },
    runId: "run-1",
    taskType: "echo",
  };
  given.at = new Date().toISOString().replace("Z", "+00:00");
  expect(await logging.post(given)).toMatchObject({ status: 202, body: { accepted: 1, rejected: [] } });
  const { status, body } = await logging.get(`/logs/${given.id}`);
  expect(status).toBe(200);
  expect(body).toEqual({
    id: given.id,
    at: given.at.replace("+00:00", "Z"),
    level: "warn",
    service: "test",
    message: "hello",
    traceId: given.traceId,
    correlationId: "c-1",
    taskId: given.taskId.toLowerCase(),
    data: { a: 1, runId: "theirs", runId_: "run-1", taskType: "echo" },
  });
});

test.concurrent("what a sender leaves out is filled in: id, time, empty data", async () => {
  await using logging = await startLogging();
  const before = Date.now();
  await logging.post([record("a"), record("b", { data: null, traceId: null })]);
  const [b, a] = await logging.list();
  expect([a?.message, b?.message]).toEqual(["a", "b"]);
  expect(Date.parse(a?.at ?? "")).toBeGreaterThanOrEqual(before);
  expect(a).toMatchObject({ traceId: null, correlationId: null, taskId: null, data: {} });
});

test.concurrent.each([
  [{}, "/level"],
  [{ level: "loud", service: "a", message: "x" }, "/level"],
  [{ level: "info", service: "", message: "x" }, "/service"],
  [{ level: "info", service: "a", message: 1 }, "/message"],
  [record("x", { id: "7" }), "/id"],
  [record("x", { at: "yesterday" }), "/at"],
  [record("x", { at: ago(31 * 24 * hourMs) }), "/at"],
  [record("x", { at: ago(-25 * hourMs) }), "/at"],
  [record("x", { traceId: "XYZ" }), "/traceId"],
  [record("x", { correlationId: "x".repeat(201) }), "/correlationId"],
  [record("x", { data: [1] }), "/data"],
])("a single bad object %j is a 400 that says where", async (body, path) => {
  await using logging = await startLogging();
  const reply = await logging.post(body);
  expect(reply).toMatchObject({ status: 400, body: { error: { code: "invalid_request" } } });
  expect(reply).toHaveProperty("body.error.details.0.path", path);
  expect(await logging.list()).toEqual([]);
});

test.concurrent.each(["", " ", "nonsense", "[", '[{"level":"info"]', "[{},{}", "1", '"x"', "null", "[1] 2"])(
  "the body %j is a 400, never more",
  async (body) => {
    await using logging = await startLogging();
    expect((await logging.post(body)).status).toBe(400);
  },
);

const deep = (levels: number) => `${"[".repeat(levels)}1${"]".repeat(levels)}`;
const bad = [
  '{"level":"info","service":"t"',
  "nonsense",
  '{"level":"info","service":"t","message":"nul \\u0000"}',
  '{"level":"info","service":"t","message":"half \\ud800"}',
  `{"level":"info","service":"t","message":"deep","data":{"a":${deep(64)}}}`,
  '{"level":"info","service":"t","message":"big number","data":{"a":1e400}}',
  '{"level":"info","service":"t","message":"proto","__proto__":{"a":1}}',
  '{"level":"info","service":"t"}',
  '{"level":"loud","service":"t","message":"x"}',
  `{"level":"info","service":"t","message":"old","at":"${ago(40 * 24 * hourMs)}"}`,
  `{"level":"info","service":"t","message":"large","data":{"a":"${"x".repeat(2_200_000)}"}}`,
];

test.concurrent("a bad line rejects itself alone; blank lines are not counted", async () => {
  await using logging = await startLogging();
  const lines = bad.flatMap((line, at) => [line, "", "  ", JSON.stringify(record(`good ${at}`))]);
  const { status, body } = await logging.postLines(lines);
  expect(status).toBe(202);
  expect(body.accepted).toBe(bad.length);
  expect(body.rejected.map(({ index }) => index)).toEqual(bad.map((_, at) => at * 2));
  expect(body.rejected.every(({ message }) => message.length > 5 && message.length < 500)).toBe(true);
  expect(await logging.list()).toHaveLength(bad.length);
});

test.concurrent("a bad item of an array rejects itself alone", async () => {
  await using logging = await startLogging();
  const items = bad
    .slice(1)
    .flatMap((item, at) => [item, JSON.stringify(record(`good ${at}`, { data: { t: '],[{\\"' } }))]);
  const { status, body } = await logging.post(`  [${items.join(" ,\n")}]\n`);
  expect(status).toBe(202);
  expect(body.accepted).toBe(bad.length - 1);
  expect(body.rejected.map(({ index }) => index)).toEqual(bad.slice(1).map((_, at) => at * 2));
});

test.concurrent("nothing is a good list too", async () => {
  await using logging = await startLogging();
  expect((await logging.post("[ ]")).body).toEqual({ accepted: 0, rejected: [] });
  expect((await logging.postLines(["", " "])).body).toEqual({ accepted: 0, rejected: [] });
});

test.concurrent("a body with more than 10,000 records is refused as a whole", async () => {
  await using logging = await startLogging();
  const lines = Array.from({ length: 10_001 }, () => '{"level":"info","service":"t","message":"x"}');
  expect((await logging.postLines(lines)).status).toBe(413);
  expect((await logging.postLines(lines.slice(1))).body).toEqual({ accepted: 10_000, rejected: [] });
});

test.concurrent("another content type is a 415", async () => {
  await using logging = await startLogging();
  expect((await logging.post(record("x"), "text/plain")).status).toBe(415);
});

test.concurrent("secrets are hidden before they are stored", async () => {
  await using logging = await startLogging();
  await logging.post(
    record("login postgres://a:hunter2@db/x", { apiKey: "hunter2", data: { deep: [{ "Set-Cookie": "hunter2" }] } }),
  );
  const { rows } = await logging.database.pool.query("select logs::text as text from logs");
  expect(rows[0].text).not.toContain("hunter2");
  expect((await logging.list())[0]).toMatchObject({
    message: "login postgres://[redacted]@db/x",
    data: { apiKey: "[redacted]", deep: [{ "Set-Cookie": "[redacted]" }] },
  });
});

test.concurrent("a fleet's own secret names and shapes are hidden too", async () => {
  const env = { LOG_REDACT_KEYS: "pin, card number", LOG_REDACT_PATTERNS: "acme_*,####-####" };
  await using logging = await startLogging({ env });
  const data = { cardNumber: 4111, deep: [{ PIN: "1234" }], note: "call 1234-5678" };
  await logging.post({ level: "info", service: "api", message: "key acme_0123abc", data });
  const [log] = await logging.list();
  expect(log).toMatchObject({
    message: "key [redacted]",
    data: { cardNumber: "[redacted]", deep: [{ PIN: "[redacted]" }], note: "call [redacted]" },
  });
});

test.concurrent.each(["application/json", "application/x-ndjson"])("a gzip body of %s is read", async (type) => {
  await using logging = await startLogging();
  const body = new Uint8Array(gzipSync(JSON.stringify({ level: "info", service: "api", message: "packed" })));
  const headers = { "x-internal-key": internalKey, "content-type": type, "content-encoding": "gzip" };
  const answer = await fetch(`${logging.url}/log`, { method: "POST", headers, body });
  expect([answer.status, await answer.json()]).toEqual([202, { accepted: 1, rejected: [] }]);
  expect((await logging.list()).map(({ message }) => message)).toEqual(["packed"]);
});

test.concurrent("a page in a browser reports as much as a person reads; services are not limited", async () => {
  await using logging = await startLogging();
  const report = (headers: Record<string, string>, body: unknown) =>
    fetch(`${logging.url}/log`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const lines = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ ...record(`error ${n}`), service: "dashboard" }));
  const { accepted } = (await (await report({ authorization: basic }, lines(200))).json()) as { accepted: number };
  // One a second comes back, and a busy machine may take seconds.
  expect(accepted).toBeGreaterThanOrEqual(60);
  expect(accepted).toBeLessThan(120);
  const more = await Promise.all(lines(30).map((line) => report({ authorization: basic }, line)));
  const refused = more.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.every(({ headers }) => headers.get("retry-after") === "5")).toBe(true);
  expect(await (await report({ "x-internal-key": internalKey }, lines(70))).json()).toMatchObject({ accepted: 70 });
  expect(await (await report({ authorization: basic }, record("a script's"))).json()).toMatchObject({ accepted: 1 });
  expect((await report({}, lines(1)[0])).status).toBe(401);
});

test.concurrent("what the headers say of trace and correlation is said of each record that does not say it itself", async () => {
  await using logging = await startLogging();
  const [ofHeader, ofBody] = ["a".repeat(32), "b".repeat(32)];
  const records = [record("bare"), record("full", { traceId: ofBody, correlationId: "body" })];
  await fetch(`${logging.url}/log`, {
    method: "POST",
    headers: {
      "x-internal-key": internalKey,
      "content-type": "application/json",
      traceparent: `00-${ofHeader}-${"c".repeat(16)}-01`,
      "x-correlation-id": "header",
    },
    body: JSON.stringify(records),
  });
  await logging.post(record("alone"));
  const stored = await logging.list();
  const shown = stored.map(({ message, traceId, correlationId }) => ({ message, traceId, correlationId }));
  expect(shown.sort((a, b) => (a.message < b.message ? -1 : 1))).toEqual([
    { message: "alone", traceId: null, correlationId: null },
    { message: "bare", traceId: ofHeader, correlationId: "header" },
    { message: "full", traceId: ofBody, correlationId: "body" },
  ]);
});

test.concurrent("the same id again is accepted and stored once, however it is sent", async () => {
  await using logging = await startLogging();
  const id = uuidv7();
  const at = new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toISOString();
  const one = record("x", { id, at });
  expect((await logging.post(one)).body.accepted).toBe(1);
  expect((await logging.post(one)).body.accepted).toBe(1);
  expect((await logging.post([one, one, record("x", { id: id.toUpperCase() })])).body.accepted).toBe(3);
  expect(await logging.list()).toHaveLength(1);
});

test.concurrent.each([
  ["a v4 id without a time", {}, {}],
  ["a v4 id with a time, then without", { at: ago(50 * hourMs) }, {}],
  ["a v4 id with two times", { at: ago(50 * hourMs) }, { at: ago(1) }],
])("%s is stored once", async (_title, first, second) => {
  await using logging = await startLogging();
  const id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  expect((await logging.post(record("first", { id, ...first }))).body.accepted).toBe(1);
  expect((await logging.postLines([record("second", { id, ...second }), record("other")])).body.accepted).toBe(2);
  const stored = await logging.list();
  expect(stored.filter((log) => log.id === id).map(({ message }) => message)).toEqual(["first"]);
  expect((await logging.get<Log>(`/logs/${id}`)).body.message).toBe("first");
});

test.concurrent("an id of another time than the record's is stored once and found", async () => {
  await using logging = await startLogging();
  const id = uuidv7(Date.now() - 5 * hourMs);
  await logging.post(record("x", { id, at: ago(0) }));
  await logging.post(record("x", { id, at: ago(-hourMs) }));
  expect(await logging.list()).toHaveLength(1);
  expect((await logging.get(`/logs/${id}`)).status).toBe(200);
});

test.concurrent("resends that cross each other store each record once", async () => {
  await using logging = await startLogging();
  const placed = Array.from({ length: 200 }, (_, at) => record(`p${at}`, { id: uuidv7() }));
  const anywhere = Array.from({ length: 200 }, (_, at) =>
    record(`v${at}`, { id: `0f8fad5b-d9cb-469f-a165-${String(at).padStart(12, "0")}` }),
  );
  const all = [...placed, ...anywhere];
  const replies = await Promise.all(
    Array.from({ length: 8 }, (_, at) => logging.postLines(at % 2 === 0 ? all : [...all].reverse())),
  );
  expect(replies.map(({ status, body }) => [status, body.accepted])).toEqual(replies.map(() => [202, 400]));
  expect(new Set((await logging.list()).map(({ id }) => id)).size).toBe(400);
  expect(await logging.list()).toHaveLength(400);
});

test.concurrent("two services that get the same records at once store each once", async () => {
  await using database = await freshDatabase();
  await using one = await startLogging({ database });
  await using other = await startLogging({ database });
  const lines = Array.from({ length: 100 }, (_, at) =>
    record(`v${at}`, { id: `0f8fad5b-d9cb-469f-a165-${String(at).padStart(12, "0")}` }),
  );
  await Promise.all([one, other, one, other].map((logging) => logging.postLines(lines)));
  expect(await one.list()).toHaveLength(100);
});

test.concurrent("a day that has no partition yet gets one", async () => {
  await using logging = await startLogging();
  const days = [3, 10, 29].map((day) => record(`${day} days ago`, { at: ago(day * 24 * hourMs) }));
  expect((await logging.postLines([...days, record("now")])).body).toEqual({ accepted: 4, rejected: [] });
  expect((await logging.list()).map(({ message }) => message)).toEqual([
    "now",
    "3 days ago",
    "10 days ago",
    "29 days ago",
  ]);
});

test.concurrent("one record that the database refuses takes no other with it", async () => {
  await using logging = await startLogging();
  await logging.database.pool.query("alter table logs add constraint logs_poison_check check (message <> 'poison')");
  const lines = Array.from({ length: 500 }, (_, at) => record(at === 123 ? "poison" : `m${at}`));
  const [first, second] = await Promise.all([logging.postLines(lines), logging.post(record("beside"))]);
  expect(first?.body).toEqual({
    accepted: 499,
    rejected: [{ index: 123, message: "cannot be stored (SQLSTATE 23514)" }],
  });
  expect(second?.status).toBe(202);
  expect(await logging.list()).toHaveLength(500);
});

test.concurrent("records of one request keep their order within a millisecond", async () => {
  await using logging = await startLogging();
  const at = new Date().toISOString();
  for (const more of [{}, { at }]) {
    const names = Array.from({ length: 300 }, (_, n) => `${JSON.stringify(more).length} ${n}`);
    await logging.postLines(names.map((name) => record(name, more)));
    const messages = (await logging.list()).map(({ message }) => message).filter((message) => names.includes(message));
    expect(messages.reverse()).toEqual(names);
  }
});
