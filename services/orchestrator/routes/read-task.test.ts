import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import { expect, test } from "vitest";
import { type Items, type Orchestrator, startOrchestrator } from "../orchestrator.fixture.ts";

const checkList = compileCheck(TaskList);
const checkTask = compileCheck(TaskWithEvents);
const unreachable = { url: "http://127.0.0.1:9" };

/** Types that are known and that nobody runs. */
async function startStill(...types: string[]): Promise<Orchestrator> {
  const box = await startOrchestrator();
  await box.register(
    unreachable,
    types.map((type) => ({ type })),
  );
  await box.register(unreachable, [{ type: "nobody" }]);
  return box;
}

async function list(box: Orchestrator, query: Record<string, string | number> = {}) {
  const search = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
  const reply = await box.call<Items<Task>>(`/tasks?${search}`);
  if (reply.status !== 200) throw new Error(`${search} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
  expect(checkList(reply.body)).toBeNull();
  return reply.body;
}

const idsOf = (tasks: { id: string }[]) => tasks.map((task) => task.id);

/** Every page, and how many there were. */
async function walk(box: Orchestrator, query: Record<string, string | number>) {
  const pages: Task[][] = [];
  let cursor: string | null = null;
  do {
    const page: { items: Task[]; nextCursor: string | null } = await list(box, { ...query, ...(cursor && { cursor }) });
    pages.push(page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return pages;
}

test.concurrent("each filter alone, and all together, finds exactly what fits", async () => {
  await using box = await startStill("a", "b");
  const parent = await box.post({ type: "a" });
  const full = {
    type: "b",
    source: "cron",
    correlationId: "order 7",
    traceId: "0af7651916cd43dd8448eb211c80319c",
    userKey: "user-1",
    concurrencyKey: "key-1",
    parentId: parent.id,
    approval: { required: true },
  };
  const special = await box.post(full);
  const near = await box.post({
    ...full,
    traceId: undefined,
    correlationId: "order 77",
    userKey: "user-10",
    source: "cro",
  });
  await box.post({ type: "a", source: "Cron" });
  await box.call(`/task/${near.id}/cancel`, { method: "POST" });

  const finds = async (query: Record<string, string>) => idsOf((await list(box, query)).items);
  expect(await finds({ source: "cron" })).toEqual([special.id]);
  expect(await finds({ correlationId: "order 7" })).toEqual([special.id]);
  expect(await finds({ traceId: full.traceId })).toEqual([special.id]);
  expect(await finds({ userKey: "user-1" })).toEqual([special.id]);
  expect(await finds({ waitingFor: "approval" })).toEqual([special.id]);
  expect(await finds({ waitingFor: "input" })).toEqual([]);
  expect(await finds({ status: "waiting" })).toEqual([special.id]);
  expect(await finds({ status: "canceled" })).toEqual([near.id]);
  expect(await finds({ status: "canceled,waiting,canceled" })).toEqual([near.id, special.id]);
  expect(await finds({ type: "b" })).toEqual([near.id, special.id]);
  expect(await finds({ parentId: parent.id })).toEqual([near.id, special.id]);
  expect(await finds({ parentId: parent.id.toUpperCase() })).toEqual([near.id, special.id]);
  expect(await finds({ concurrencyKey: "key-1" })).toEqual([near.id, special.id]);
  const { approval: _approval, ...all } = full;
  expect(await finds({ ...all, status: "waiting", waitingFor: "approval", q: "CRON" })).toEqual([special.id]);
  expect(await finds({ ...all, type: "a" })).toEqual([]);
});

test.concurrent("since and until bound the creation, both ends included", async () => {
  await using box = await startStill("a");
  const made: Task[] = [];
  for (let index = 0; index < 3; index++) {
    const task = await box.post({ type: "a" });
    const createdAt = `2026-01-31T08:00:0${index}.500Z`;
    await box.database.pool.query("update tasks set created_at = $1 where id = $2", [createdAt, task.id]);
    made.push({ ...task, createdAt });
  }
  const [first, second, third] = made.map((task) => task.id);
  const finds = async (query: Record<string, string>) => idsOf((await list(box, query)).items);
  expect(await finds({ since: "2026-01-31T08:00:01.500Z" })).toEqual([third, second]);
  expect(await finds({ until: "2026-01-31T08:00:01.500Z" })).toEqual([second, first]);
  expect(await finds({ since: "2026-01-31T09:00:01.500+01:00", until: "2026-01-31T08:00:01.5Z" })).toEqual([second]);
  expect(await finds({ since: "2026-01-31T08:00:01.501Z", until: "2026-01-31T08:00:01.499Z" })).toEqual([]);
});

test.concurrent("q finds text in type, source, payload and error, in any case, every character as itself", async () => {
  await using box = await startStill("render.deploy", "plain");
  const post = (members: object) => box.post({ type: "plain", ...members });
  const deploy = await post({ type: "render.deploy" });
  const percent = await post({ payload: { rate: "100% sure" } });
  const underscore = await post({ payload: ["snake_case"] });
  const backslash = await post({ payload: { path: "C:\\temp" } });
  const quotes = await post({ payload: { says: 'he said "hi" and it\'s fine' } });
  const lines = await post({ payload: "one\ntwo\tthree" });
  const cyrillic = await post({ source: "ИСТОЧНИК", payload: "x" });
  const number = await post({ payload: { order: 4711 } });
  const failed = await post({});
  await box.call(`/task/${failed.id}`, {
    method: "PATCH",
    body: { ifVersion: 1, status: "failed", error: { code: "no_luck", message: "Wrecked" } },
  });
  const finds = async (q: string) => idsOf((await list(box, { q })).items);
  expect(await finds("Render.D")).toEqual([deploy.id]);
  expect(await finds("100%")).toEqual([percent.id]);
  expect(await finds("%")).toEqual([percent.id]);
  expect(await finds("_")).toEqual([failed.id, underscore.id]);
  expect(await finds("snake_c")).toEqual([underscore.id]);
  expect(await finds("snake%")).toEqual([]);
  expect(await finds("C:\\temp")).toEqual([backslash.id]);
  expect(await finds("\\")).toEqual(expect.arrayContaining([backslash.id]));
  expect(await finds('said "hi"')).toEqual([quotes.id]);
  expect(await finds("it's")).toEqual([quotes.id]);
  expect(await finds("e\nt")).toEqual([lines.id]);
  expect(await finds("источник")).toEqual([cyrillic.id]);
  expect(await finds('"order": 4711')).toEqual([number.id]);
  expect(await finds("wrecked")).toEqual([failed.id]);
  expect(await finds("' or true --")).toEqual([]);
});

test.concurrent("pages are as long as asked for, newest first, and 50 by default", async () => {
  await using box = await startStill("a");
  const made: string[] = [];
  for (let index = 0; index < 53; index++) made.push((await box.post({ type: "a" })).id);
  made.reverse();
  expect(idsOf((await list(box)).items)).toEqual(made.slice(0, 50));
  expect(idsOf((await walk(box, { limit: 7 })).flat())).toEqual(made);
  expect((await walk(box, { limit: 7 })).map((page) => page.length)).toEqual([7, 7, 7, 7, 7, 7, 7, 4]);
  expect(await list(box, { limit: 53 })).toMatchObject({ nextCursor: null });
  expect((await list(box, { limit: 200 })).items).toHaveLength(53);
  for (const limit of ["0", "201", "-1", "1.5", "x", "", "1e2", " 5"]) {
    const reply = await box.call(`/tasks?limit=${encodeURIComponent(limit)}`);
    expect([limit, reply.status, reply.body.error?.details[0]?.path]).toEqual([limit, 400, "/limit"]);
  }
});

test.concurrent("tasks of one millisecond are paged without loss", async () => {
  await using box = await startStill("a");
  for (let index = 0; index < 25; index++) await box.post({ type: "a" });
  await box.database.pool.query("update tasks set created_at = '2026-01-31T08:00:00Z'");
  const found = idsOf((await walk(box, { limit: 4 })).flat());
  expect(new Set(found).size).toBe(25);
  expect(found).toEqual(found.toSorted().reverse());
});

test.concurrent("pages neither lose nor double a task while 200 others arrive", async () => {
  await using box = await startStill("a");
  const before: string[] = [];
  for (let index = 0; index < 60; index++)
    before.push((await box.post({ type: "a", concurrencyKey: `k${index % 3}` })).id);
  let left = 200;
  const arriving = Array.from({ length: 8 }, async () => {
    while (left-- > 0) await box.post({ type: "a", concurrencyKey: `k${left % 3}` });
  });
  const pages = await walk(box, { limit: 5 });
  await Promise.all(arriving);
  const found = idsOf(pages.flat());
  expect(new Set(found).size).toBe(found.length);
  expect(found.filter((id) => before.includes(id))).toEqual(before.toReversed());
});

const word = (text: string) => Buffer.from(text).toString("base64url");
const forged = [
  "x",
  "%27",
  word("1"),
  word("2026-01-31T08:00:00.000Z"),
  word("2026-01-31T08:00:00.000Z~1"),
  word("2026-02-30T08:00:00.000Z~01890000-0000-7000-8000-000000000001"),
  word("0000-01-01T00:00:00.000Z~01890000-0000-7000-8000-000000000001"),
  word("infinity~01890000-0000-7000-8000-000000000001"),
  word("now~01890000-0000-7000-8000-000000000001"),
  word("2026-01-31T08:00:00.000Z~01890000-0000-7000-8000-00000000000'"),
  "A".repeat(513),
];

test.concurrent("forged cursors are 400, on tasks and on events", async () => {
  await using box = await startStill("a");
  const task = await box.post({ type: "a" });
  for (const cursor of forged) {
    for (const path of ["/tasks", `/task/${task.id}/events`]) {
      const reply = await box.call(`${path}?cursor=${cursor}`);
      const isFine = cursor === word("1") && path !== "/tasks";
      expect([path, cursor, reply.status]).toEqual([path, cursor, isFine ? 200 : 400]);
    }
  }
  expect((await box.call("/tasks?cursor=")).status).toBe(400);
});

test.concurrent("one task is read with its events in order, its version as ETag, by both of its addresses", async () => {
  await using box = await startStill("a");
  const task = await box.post({ type: "a" });
  for (let version = 1; version <= 5; version++)
    await box.call(`/task/${task.id}`, { method: "PATCH", body: { ifVersion: version, priority: version } });
  const reply = await box.call(`/tasks/${task.id}`);
  expect(checkTask(reply.body)).toBeNull();
  expect(reply.headers.etag).toBe('"6"');
  expect(reply.body.events.map((event: { version: number }) => event.version)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(new Set(reply.body.events.map((event: { id: string }) => event.id)).size).toBe(6);
  expect((await box.call(`/task/${task.id}`)).body).toEqual(reply.body);
});

test.concurrent("events are paged oldest first, and the pages are what the task shows", async () => {
  await using box = await startStill("a");
  const task = await box.post({ type: "a" });
  for (let version = 1; version <= 10; version++)
    await box.call(`/task/${task.id}`, { method: "PATCH", body: { ifVersion: version, priority: version } });
  const other = await box.post({ type: "a" });
  const { events } = await box.get(task.id);
  const found: unknown[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${cursor}`;
    const page: Items<TaskEvent> = (await box.call<Items<TaskEvent>>(`/task/${task.id}/events?limit=4${query}`)).body;
    expect(page.items.length).toBeLessThanOrEqual(4);
    found.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  expect(found).toEqual(events);
  expect((await box.call(`/tasks/${other.id}/events`)).body).toMatchObject({
    items: [{ kind: "created" }],
    nextCursor: null,
  });
  for (const limit of ["0", "1001", "x"])
    expect((await box.call(`/task/${task.id}/events?limit=${limit}`)).status).toBe(400);
});

test.concurrent("why a queued task does not run", async () => {
  await using box = await startStill("a", "b");
  const lonely = await box.post({ type: "a" });
  expect((await box.get(lonely.id)).why?.reason).toBe("no_agent");
  const [head, behind, third] = [
    await box.post({ type: "a", concurrencyKey: "k" }),
    await box.post({ type: "a", concurrencyKey: "k" }),
    await box.post({ type: "a", concurrencyKey: "k" }),
  ];
  expect((await box.get(head.id)).why?.reason).toBe("no_agent");
  expect((await box.get(behind.id)).why).toEqual({ reason: "behind_key", detail: head.id });
  expect((await box.get(third.id)).why).toEqual({ reason: "behind_key", detail: behind.id });
  const later = await box.post({ type: "b", concurrencyKey: "k", runAt: "2199-01-31T08:00:00.000Z" });
  expect((await box.get(later.id)).why).toEqual({ reason: "run_at", detail: "2199-01-31T08:00:00.000Z" });
  const ended = await box.call(`/task/${third.id}/cancel`, { method: "POST" });
  expect(ended.body.status).toBe("canceled");
  expect((await box.get(third.id)).why).toBeUndefined();
});
