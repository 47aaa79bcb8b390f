import { sendRaw } from "@signalbox/testing/raw-http.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basic, type Orchestrator, startOrchestrator } from "../orchestrator.fixture.ts";

let box: Orchestrator;
let taskId: string;

beforeAll(async () => {
  box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  // The type stays known and nobody runs it, so that the tables stand still.
  await box.register({ url: "http://127.0.0.1:9" }, [{ type: "other" }]);
  taskId = (await box.post({ type: "work", runAt: "2199-01-01T00:00:00Z" })).id;
});

afterAll(() => box[Symbol.asyncDispose]());

/** Refused as it must be, with a body of the one error shape, and nothing was stored. */
async function refused(path: string, init: Parameters<Orchestrator["call"]>[1], status: number) {
  const count = "select (select count(*) from tasks) as tasks, (select count(*) from task_events) as events";
  const before = await box.database.pool.query(count);
  const reply = await box.call(path, init);
  expect([path, reply.status, reply.body]).toEqual([
    path,
    status,
    {
      error: expect.objectContaining({
        code: expect.any(String),
        message: expect.any(String),
        traceId: expect.any(String),
      }),
    },
  ]);
  expect(JSON.stringify(reply.body)).not.toMatch(/node_modules|at \/|SELECT|pg_/);
  expect((await box.database.pool.query(count)).rows).toEqual(before.rows);
  return reply.body.error;
}

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const withPayload = (payload: string) => `{"type":"work","payload":${payload}}`;

const badJson: [string, string][] = [
  ["half a document", '{"type":"work"'],
  ["a comment", '{"type":"work"} // x'],
  ["a trailing comma", '{"type":"work",}'],
  ["single quotes", "{'type':'work'}"],
  ["NaN", withPayload("NaN")],
  ["two documents", '{"type":"work"}{"type":"work"}'],
  ["an array", '[{"type":"work"}]'],
  ["null", "null"],
  ["a string", '"work"'],
  ["a number", "7"],
  ["a byte order mark only", "\ufeff"],
  ["NUL in a value", withPayload('"a\\u0000b"')],
  ["NUL in a key", withPayload('{"a\\u0000b":1}')],
  ["a raw NUL", withPayload('"a\u0000b"')],
  ["half a surrogate pair", withPayload('"\\ud83d"')],
  ["the other half", withPayload('"\\ude80"')],
  ["half a pair in a key", withPayload('{"\\ud83d":1}')],
  ["a number beyond a double", withPayload("1e400")],
  ["minus that", withPayload("-1e999")],
  ["digits without end", withPayload("9".repeat(400))],
  ["65 levels", withPayload(nested(64))],
  ["20,000 levels", withPayload(nested(20_000))],
  ["half a million opened", withPayload("[".repeat(500_000))],
  ["__proto__", withPayload('{"__proto__":{"x":1}}')],
];

test.each(badJson)("%s is 400", async (_what, body) => {
  expect((await refused("/task", { method: "POST", body }, 400)).code).toBe("invalid_request");
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});

test("63 levels inside the payload are stored", async () => {
  const reply = await box.call("/task", { method: "POST", body: withPayload(nested(63)) });
  expect(reply.status).toBe(201);
});

test("bytes that are not UTF-8 are 400", async () => {
  const body = Buffer.concat([Buffer.from('{"type":"work","payload":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
  await refused("/task", { method: "POST", body, headers: { "content-type": "application/json" } }, 400);
});

test("1 MiB is taken, a byte more is 413", async () => {
  const frame = withPayload('""').length;
  const body = (size: number) => withPayload(`"${"x".repeat(size - frame)}"`);
  expect((await box.call("/task", { method: "POST", body: body(1_048_576) })).status).toBe(201);
  expect((await refused("/task", { method: "POST", body: body(1_048_577) }, 413)).code).toBe("payload_too_large");
});

const badMembers: [string, object, string][] = [
  ["no type", {}, "/type"],
  ["a type that is no text", { type: 7 }, "/type"],
  ["an empty type", { type: "" }, "/type"],
  ["a type with a space", { type: "a b" }, "/type"],
  ["a type of 101 characters", { type: "x".repeat(101) }, "/type"],
  ["an unknown member", { nonsense: 1 }, "/nonsense"],
  ["an id", { id: "01890000-0000-7000-8000-000000000000" }, "/id"],
  ["a status", { status: "completed" }, "/status"],
  ["a source that is empty", { source: "" }, "/source"],
  ["a source of 201 characters", { source: "x".repeat(201) }, "/source"],
  ["a correlation id of 201 characters", { correlationId: "x".repeat(201) }, "/correlationId"],
  ["a correlation id of null", { correlationId: null }, "/correlationId"],
  ["a trace id in capitals", { traceId: "A".repeat(32) }, "/traceId"],
  ["a trace id of zeros", { traceId: "0".repeat(32) }, "/traceId"],
  ["a short trace id", { traceId: "a" }, "/traceId"],
  ["priority 101", { priority: 101 }, "/priority"],
  ["priority -101", { priority: -101 }, "/priority"],
  ["priority 1.5", { priority: 1.5 }, "/priority"],
  ["priority as text", { priority: "1" }, "/priority"],
  ["no attempts", { maxAttempts: 0 }, "/maxAttempts"],
  ["26 attempts", { maxAttempts: 26 }, "/maxAttempts"],
  ["no time", { timeoutMs: 0 }, "/timeoutMs"],
  ["more than a day", { timeoutMs: 86_400_001 }, "/timeoutMs"],
  ["an empty concurrency key", { concurrencyKey: "" }, "/concurrencyKey"],
  ["a concurrency key of 501 characters", { concurrencyKey: "x".repeat(501) }, "/concurrencyKey"],
  ["a parent that is no id", { parentId: "1" }, "/parentId"],
  ["a parent with a prefix", { parentId: "urn:uuid:01890000-0000-7000-8000-000000000000" }, "/parentId"],
  ["a yes as approval", { approval: true }, "/approval"],
  ["an approval without its word", { approval: {} }, "/approval/required"],
  [
    "an approval that expires at once",
    { approval: { required: true, expiresInSeconds: 0 } },
    "/approval/expiresInSeconds",
  ],
];

test.each(badMembers)("%s is 400 and says where", async (what, members, path) => {
  const body = what === "no type" ? members : { type: "work", ...members };
  const { details } = await refused("/task", { method: "POST", body }, 400);
  expect(details[0]?.path).toBe(path);
});

const badTimes = [
  "",
  "soon",
  "2026-01-31",
  "2026-01-31T08:00:00",
  "2026-02-30T08:00:00Z",
  "2026-13-01T08:00:00Z",
  "2026-01-31T24:00:00Z",
  "2026-01-31T08:00:60Z",
  "0000-01-01T00:00:00Z",
  "+010000-01-01T00:00:00Z",
  "2026-01-31T08:00:00+99:99",
  "1706688000000",
  " 2026-01-31T08:00:00Z",
];

test.each(badTimes)("%j is no time, in a body or a query", async (time) => {
  expect((await refused("/task", { method: "POST", body: { type: "work", runAt: time } }, 400)).details[0]?.path).toBe(
    "/runAt",
  );
  await refused(`/task/${taskId}`, { method: "PATCH", body: { ifVersion: 1, runAt: time } }, 400);
  for (const name of ["since", "until"]) await refused(`/tasks?${name}=${encodeURIComponent(time)}`, {}, 400);
});

const goodTimes = [
  "2199-01-31T08:00:00+20:00",
  "2199-01-31T08:00:00-23:59",
  "9999-12-31T23:59:59.9999999Z",
  "0001-01-01T00:00:00Z",
  "2199-01-31t08:00:00.5z",
];

test.each(goodTimes)("%j is a time, in a body and a query", async (time) => {
  const made = await box.call("/task", {
    method: "POST",
    body: { type: "work", runAt: time, approval: { required: true } },
  });
  expect(made).toMatchObject({ status: 201, body: { runAt: new Date(time).toISOString() } });
  for (const name of ["since", "until"])
    expect((await box.call(`/tasks?${name}=${encodeURIComponent(time)}`)).status).toBe(200);
});

const ids = [
  "1",
  "x",
  "%20",
  "01890000-0000-7000-8000-00000000000",
  "01890000-0000-7000-8000-0000000000001",
  "01890000-0000-7000-8000-00000000000g",
  "'or'1'='1",
  "%00",
  "%f0%9f%9a%a6",
  "urn:uuid:01890000-0000-7000-8000-000000000000",
  "{01890000-0000-7000-8000-000000000000}",
];

test.each(ids)("the id %s is 400 on every route that takes one", async (id) => {
  await refused(`/task/${id}`, {}, 400);
  await refused(`/task/${id}/events`, {}, 400);
  await refused(`/task/${id}`, { method: "PATCH", body: { ifVersion: 1 } }, 400);
  for (const action of ["cancel", "retry", "approve", "reject"])
    await refused(`/task/${id}/${action}`, { method: "POST", body: {} }, 400);
  await refused(`/task/${id}/input`, { method: "POST", body: { ifVersion: 1, input: 1 } }, 400);
  await refused(`/task/${id}/progress`, { method: "POST", as: "service", body: { attempt: 1, message: "m" } }, 400);
  await refused(
    `/task/${id}/events`,
    { method: "POST", as: "service", body: { attempt: 1, kind: "note", data: {} } },
    400,
  );
});

test("an id that nothing has is 404 on every route that takes one", async () => {
  const id = "01890000-0000-7000-8000-000000000000";
  await refused(`/task/${id}`, {}, 404);
  await refused(`/task/${id}/events`, {}, 404);
  await refused(`/task/${id}`, { method: "PATCH", body: { ifVersion: 1 } }, 404);
  await refused(`/task/${id}`, { method: "PATCH", as: "service", body: { attempt: 1, status: "completed" } }, 404);
  for (const action of ["cancel", "retry"]) await refused(`/task/${id}/${action}`, { method: "POST" }, 404);
  for (const action of ["approve", "reject"])
    await refused(`/task/${id}/${action}`, { method: "POST", body: { ifVersion: 1 } }, 404);
  await refused(`/task/${id}/input`, { method: "POST", body: { ifVersion: 1, input: 1 } }, 404);
  await refused(`/task/${id}/progress`, { method: "POST", as: "service", body: { attempt: 1, message: "m" } }, 404);
  await refused(
    `/task/${id}/events`,
    { method: "POST", as: "service", body: { attempt: 1, kind: "note", data: {} } },
    404,
  );
});

function nameAttempt(attempt: unknown): [string, Parameters<Orchestrator["call"]>[1]][] {
  const post = { method: "POST", as: "service" } as const;
  return [
    [`/task/${taskId}/progress`, { ...post, body: { attempt, message: "m" } }],
    [`/task/${taskId}/events`, { ...post, body: { attempt, kind: "note", data: {} } }],
    [`/task/${taskId}`, { method: "PATCH", as: "service", body: { attempt, status: "completed" } }],
  ];
}

test.each([0, -1, 1.5, "1", null])("%j is no attempt", async (attempt) => {
  for (const [path, init] of nameAttempt(attempt)) await refused(path, init, 400);
});

test.each([2_147_483_648, 2 ** 53, 1e308])("attempt %d has never run, as any other that does not", async (attempt) => {
  for (const [path, init] of nameAttempt(attempt)) {
    expect(await box.call(path, init)).toMatchObject({ status: 409, body: { error: { code: "lease_lost" } } });
  }
});

test("an id in capitals is the same id", async () => {
  expect((await box.call(`/task/${taskId.toUpperCase()}`)).body.id).toBe(taskId);
});

test.each([
  "/task/:id?x=1",
  "/task/:id/events?x=1",
  "/tasks?x=1",
  "/tasks?type=a&type=b",
  "/agents?x=1",
  "/task-types?x=1",
  "/tasks?type=%ff",
  "/tasks?type=%00",
  "/tasks?limit=",
])("%s asks for what is not there", async (path) => {
  await refused(path.replace(":id", taskId), {}, 400);
});

test.each([
  "GET /task",
  "DELETE /task/:id",
  "PUT /task/:id",
  "POST /task/:id",
  "GET /task/:id/cancel",
  "PATCH /tasks",
  "POST /agents",
  "GET /agents/heartbeat",
])("%s is 405 and names what is allowed", async (line) => {
  const [method = "", path = ""] = line.split(" ");
  const reply = await box.call(path.replace(":id", taskId), { method });
  expect(reply).toMatchObject({
    status: 405,
    body: { error: { code: "method_not_allowed" } },
    headers: { allow: expect.stringMatching(/[A-Z]/) },
  });
});

test("other paths are 404, and other content types 415", async () => {
  for (const path of ["/", "/nothing", `/task/${taskId}/nothing`, "/TASKS", "//task"]) await refused(path, {}, 404);
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
  ])
    await refused("/task", { method: "POST", body: '{"type":"work"}', headers: { "content-type": type } }, 415);
});

test("a correlation id in a header is bounded, and any text within is passed on", async () => {
  const post = (value: string) =>
    box.call("/task", {
      method: "POST",
      body: { type: "work", runAt: "2199-01-01T00:00:00Z" },
      headers: { "x-correlation-id": value },
    });
  expect((await post("x".repeat(200))).body.correlationId).toHaveLength(200);
  expect((await post("x".repeat(201))).status).toBe(400);
  expect((await post(Buffer.from("ünï 🚦").toString("latin1"))).body.correlationId).toBe("ünï 🚦");
});

test("a header of 17 kB is 431, and the service goes on", async () => {
  const port = Number(new URL(box.url).port);
  const answer = await sendRaw(
    port,
    `GET /tasks HTTP/1.1\r\nhost: x\r\nauthorization: ${basic}\r\nx-long: ${"x".repeat(17_000)}\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  expect((await box.call("/tasks")).status).toBe(200);
});
