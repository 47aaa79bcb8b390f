import type { LogList } from "@signalbox/common/contracts/log.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { expect, test } from "vitest";
import { type Logging, startLogging } from "./logging.fixture.ts";
import type { LogStats } from "./stats.ts";
import type { Place } from "./store/read-logs.ts";
import { type SearchedLogs, searchLogs } from "./store/search-logs.ts";

const record = (message: string, more: object = {}) => ({ level: "info", service: "test", message, ...more });
const at = (ms: number) => new Date(Date.now() - ms).toISOString();
const messages = async (logging: Logging, query: string) => (await logging.list(query)).map(({ message }) => message);

async function pages(logging: Logging, query: string, between: () => Promise<unknown> = async () => undefined) {
  const found: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: LogList = (await logging.get(`/logs?${query}${cursor === "" ? "" : `&cursor=${cursor}`}`)).body;
    found.push(...page.items.map(({ message }) => message));
    cursor = page.nextCursor;
    await between();
  }
  return found;
}

test.concurrent("every filter selects, and they combine", async () => {
  await using logging = await startLogging();
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const taskId = uuidv7();
  const now = Date.now();
  const at = (ms: number) => new Date(now - ms).toISOString();
  await logging.postLines([
    record("old", { at: at(7_200_000), level: "trace" }),
    record("traced", { at: at(5_000), traceId, level: "warn" }),
    record("tasked", { at: at(4_000), taskId, level: "error" }),
    record("correlated", { at: at(3_000), correlationId: "c 1/ä" }),
    record("other", { at: at(2_000), service: "other", level: "fatal", data: { city: "Zürich" } }),
  ]);
  expect(await messages(logging, "")).toEqual(["other", "correlated", "tasked", "traced", "old"]);
  expect(await messages(logging, "service=other")).toEqual(["other"]);
  expect(await messages(logging, "level=warn")).toEqual(["other", "tasked", "traced"]);
  expect(await messages(logging, "level=trace")).toHaveLength(5);
  expect(await messages(logging, `traceId=${traceId}`)).toEqual(["traced"]);
  expect(await messages(logging, `taskId=${taskId.toUpperCase()}`)).toEqual(["tasked"]);
  expect(await messages(logging, `correlationId=${encodeURIComponent("c 1/ä")}`)).toEqual(["correlated"]);
  expect(await messages(logging, "q=z%C3%BCR")).toEqual(["other"]);
  expect(await messages(logging, `since=${at(3_600_000)}&until=${at(3_500)}`)).toEqual(["tasked", "traced"]);
  expect(await messages(logging, "level=error&service=test")).toEqual(["tasked"]);
});

test.concurrent("wildcards and quotes in q are plain characters", async () => {
  await using logging = await startLogging();
  await logging.postLines([
    record("100% sure"),
    record("100 sure"),
    record("a_b"),
    record("axb"),
    record("back\\slash"),
    record("o'hara"),
  ]);
  expect(await messages(logging, "q=100%25")).toEqual(["100% sure"]);
  expect(await messages(logging, "q=a_b")).toEqual(["a_b"]);
  expect(await messages(logging, "q=%5C")).toEqual(["back\\slash"]);
  expect(await messages(logging, "q=o'h")).toEqual(["o'hara"]);
});

test.concurrent("a text is looked for as far back as time allows; the answer says how far, and its cursor goes on", async () => {
  await using logging = await startLogging();
  const texts = Array.from({ length: 1_000 }, (_, n) => (n % 100 === 0 ? `needle ${n}` : `hay ${n}`));
  await logging.postLines(texts.map((message, n) => record(message, { at: at(1_000 + n) })));
  const bounds = { firstStep: 150, mostStep: 150, budgetMs: 0, stepMs: 0 };
  const found: string[] = [];
  const steps: number[] = [];
  for (let below: Place | null = null, isOver = false; !isOver; ) {
    const page = { filter: { q: "NEEDLE", service: "test" }, limit: 100, below };
    const answer: SearchedLogs = await searchLogs(logging.database.pool, page, bounds);
    found.push(...answer.items.map(({ message }) => message));
    steps.push(answer.items.length);
    expect(answer.hasMore).toBe(answer.scannedTo !== null);
    [below, isOver] = [answer.scannedTo, !answer.hasMore];
  }
  expect(found).toEqual(texts.filter((text) => text.startsWith("needle")));
  expect(steps).toEqual([2, 1, 2, 1, 2, 1, 1]);
});

test.concurrent("a search in time says that it went through all of its range; its pages are full and meet", async () => {
  await using logging = await startLogging();
  const texts = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? `needle ${n}` : `hay ${n}`));
  await logging.postLines(texts.map((message, n) => record(message, { at: at(1_000 + n) })));
  const { body } = await logging.get("/logs?q=needle&limit=8");
  expect([body.items.length, body.searchedSince]).toEqual([8, null]);
  expect(await pages(logging, "q=needle&limit=8")).toEqual(texts.filter((text) => text.startsWith("needle")));
  expect((await logging.get("/logs?q=nothing")).body).toEqual({ items: [], nextCursor: null, searchedSince: null });
  expect((await logging.get("/logs?limit=1")).body).not.toHaveProperty("searchedSince");
});

test.concurrent("a statement that takes too long is a 503 that says how to narrow it", async () => {
  await using logging = await startLogging();
  await logging.post(record("slow"));
  await logging.database.pool.query(`
    alter table logs rename to stored_logs;
    create view logs as select s.* from stored_logs s, lateral (select pg_sleep(3600)) endless`);
  const [list, stats] = await Promise.all([logging.get("/logs?service=test"), logging.get<LogStats>("/logs/stats")]);
  for (const { status, body, headers } of [list, stats]) {
    expect([status, body.error.code, headers["retry-after"]]).toEqual([503, "unavailable", "1"]);
    expect(body.error.message).toMatch(/narrow the time range/);
  }
});

test.concurrent("pages meet each record once while newer ones keep coming in", async () => {
  await using logging = await startLogging();
  const names = Array.from({ length: 95 }, (_, n) => `m${n}`);
  // Many share a millisecond.
  await logging.postLines(names.map((name, n) => record(name, { at: at(60_000 - Math.floor(n / 10)) })));
  const found = await pages(logging, "limit=10", () =>
    logging.post([record("new"), record("late", { at: at(3_600_000) })]),
  );
  expect(found.filter((message) => message.startsWith("m"))).toEqual([...names].reverse());
});

test.concurrent("the last page has no next one", async () => {
  await using logging = await startLogging();
  expect((await logging.get("/logs")).body).toEqual({ items: [], nextCursor: null });
  await logging.post([record("a"), record("b")]);
  expect((await logging.get("/logs?limit=2")).body.nextCursor).toBeNull();
  expect((await logging.get("/logs?limit=1")).body.nextCursor).not.toBeNull();
});

test.concurrent("large records make shorter pages, not larger answers", async () => {
  await using logging = await startLogging();
  const names = Array.from({ length: 12 }, (_, n) => `${n} ${"x".repeat(1_000_000)}`);
  for (const name of names) await logging.post(record(name));
  const { body } = await logging.get("/logs?limit=1000");
  expect(body.items.length).toBeGreaterThan(4);
  expect(body.items.length).toBeLessThan(12);
  expect(await pages(logging, "limit=1000")).toEqual([...names].reverse());
});

test.concurrent.each([
  "limit=0",
  "limit=1001",
  "limit=x",
  "cursor=x",
  "cursor=MTIz",
  "since=now",
  "level=loud",
  "traceId=1",
  "taskId=1",
  "q=",
  "nonsense=1",
])("GET /logs?%s is a 400", async (query) => {
  await using logging = await startLogging();
  expect((await logging.get(`/logs?${query}`)).status).toBe(400);
});

test.concurrent("a cursor of another shape of this list is refused, a stale one goes on", async () => {
  await using logging = await startLogging();
  const forged = Buffer.from(`9999-99-99T00:00:00.000Z~${uuidv7()}`).toString("base64url");
  expect((await logging.get(`/logs?cursor=${forged}`)).status).toBe(400);
  const gone = Buffer.from(`2020-01-01T00:00:00.000Z~${uuidv7()}`).toString("base64url");
  expect((await logging.get(`/logs?cursor=${gone}`)).body).toEqual({ items: [], nextCursor: null });
});

test.concurrent("a record that is not there is a 404, an id that is none a 400", async () => {
  await using logging = await startLogging();
  for (const id of [uuidv7(), "ffffffff-ffff-7fff-bfff-ffffffffffff", "0f8fad5b-d9cb-469f-a165-70867728950e"]) {
    expect((await logging.get(`/logs/${id}`)).status).toBe(404);
  }
  expect((await logging.get("/logs/1")).status).toBe(400);
});

test.concurrent("reading one record looks into one partition", async () => {
  await using logging = await startLogging();
  const id = uuidv7();
  const { rows } = await logging.database.pool.query(
    "explain (costs off) select * from logs where id = $1 and at = $2::timestamptz",
    [id, new Date()],
  );
  expect(
    rows
      .map((row) => row["QUERY PLAN"])
      .join("\n")
      .match(/logs_\d{8}/g),
  ).toHaveLength(2);
});

test.concurrent("stats count rows and bytes by day and service, and by bucket and level", async () => {
  await using logging = await startLogging();
  const midnight = new Date().toISOString().slice(0, 10);
  await logging.postLines([
    record("1234567890", { at: `${midnight}T00:00:01.000Z`, data: {} }),
    record("x", { at: `${midnight}T00:00:02.000Z`, level: "error" }),
    record("x", { at: `${midnight}T00:01:02.000Z`, service: "other" }),
    record("x", { at: at(48 * 3_600_000) }),
  ]);
  const { status, body } = await logging.get<LogStats>(
    `/logs/stats?since=${midnight}T00:00:00Z&until=${midnight}T00:10:00Z`,
  );
  expect(status).toBe(200);
  expect(body).toMatchObject({ rows: 3, bucketSeconds: 5 });
  expect(body.days).toMatchObject([
    { day: midnight, service: "other", rows: 1 },
    { day: midnight, service: "test", rows: 2 },
  ]);
  expect(body.days[1]?.bytes).toBeGreaterThan(11);
  expect(body.buckets).toEqual([
    { at: `${midnight}T00:00:00.000Z`, rows: 2, levels: { info: 1, error: 1 } },
    { at: `${midnight}T00:01:00.000Z`, rows: 1, levels: { info: 1 } },
  ]);
  expect((await logging.get("/logs/stats?service=other&level=fatal")).body).toMatchObject({
    rows: 0,
    days: [],
    buckets: [],
  });
  expect((await logging.get<LogStats>(`/logs/stats?since=${at(0)}&until=${at(1_000)}`)).status).toBe(400);
});
