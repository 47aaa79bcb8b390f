import type { Frame } from "@signalbox/common/contracts/frame.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  basic,
  dashboardOrigin,
  internalKey,
  type Orchestrator,
  startAgent,
  startOrchestrator,
} from "./orchestrator.fixture.ts";

/** A client that keeps every frame it gets. */
function connect(box: Orchestrator, query = "", headers: Record<string, string> = { authorization: basic }) {
  const socket = new WebSocket(`${box.url.replace("http", "ws")}/ws${query}`, { headers });
  const frames: Frame[] = [];
  socket.on("message", (data) => frames.push(JSON.parse(String(data))));
  socket.on("error", () => undefined);
  return {
    socket,
    frames,
    tasks: () => frames.filter((frame) => frame.type === "task"),
    cursor: () => frames.at(-1)?.cursor ?? "",
    hello: () => eventually(() => frames.find((frame) => frame.type === "hello"), { what: "hello" }),
    async [Symbol.asyncDispose]() {
      socket.terminate();
    },
  };
}

/** How an upgrade was refused. */
function refusal(box: Orchestrator, query: string, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(`${box.url.replace("http", "ws")}/ws${query}`, { headers });
  return new Promise((resolve, reject) => {
    socket.on("unexpected-response", (_request, response) => {
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
    socket.on("open", () => reject(new Error("it was let in")));
    socket.on("error", () => undefined);
  });
}

test.concurrent("every event is one frame, in order, showing the task as it then was", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: "done" }));
  await box.register(agent, [{}]);
  await using client = connect(box);
  const hello = await client.hello();
  expect(hello).toMatchObject({
    type: "hello",
    heartbeatMs: 15_000,
    cursor: expect.any(String),
    instance: expect.any(String),
  });
  const task = await box.post({ type: "work" });
  await eventually(() => client.tasks().length >= 3, { what: "three frames" });
  expect(
    client.tasks().map((frame) => [frame.event.kind, frame.event.version, frame.task.version, frame.task.status]),
  ).toEqual([
    ["created", 1, 1, "queued"],
    ["started", 2, 2, "running"],
    ["completed", 3, 3, "completed"],
  ]);
  expect(client.tasks().map((frame) => frame.task.result)).toEqual([null, null, "done"]);
  expect((await box.get(task.id)).events).toEqual(client.tasks().map((frame) => frame.event));
});

test.concurrent("a client that reconnects with its cursor gets exactly what it missed", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  await using first = connect(box);
  await first.hello();
  await box.post({ type: "work" });
  await eventually(() => first.tasks().length === 3);
  const cursor = first.tasks()[0]?.cursor;
  first.socket.terminate();
  for (let index = 0; index < 5; index++) await box.post({ type: "work", payload: index });
  await using second = connect(box, `?since=${cursor}`);
  await eventually(() => second.tasks().length === 2 + 15, { what: "all that was missed" });
  await box.post({ type: "work" });
  await eventually(() => second.tasks().length === 2 + 18, { what: "and what is new" });
  const ledger = await box.database.pool.query("select task_id, version from task_events order by seq offset 1");
  expect(second.tasks().map(({ event }) => ({ task_id: event.taskId, version: event.version }))).toEqual(ledger.rows);
});

test.concurrent("filters let only the asked frames pass", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  const traceId = "0123456789abcdef0123456789abcdef";
  await using byTrace = connect(box, `?types=task&traceId=${traceId}`);
  await using byCorrelation = connect(box, "?correlationId=mine");
  await using logsOnly = connect(box, "?types=log");
  for (const client of [byTrace, byCorrelation, logsOnly]) await client.hello();
  await box.post({ type: "work", traceId });
  await box.post({ type: "work", correlationId: "mine" });
  await eventually(() => byTrace.tasks().length === 3 && byCorrelation.tasks().length === 3);
  expect(byTrace.tasks().every((frame) => frame.task.traceId === traceId)).toBe(true);
  expect(byCorrelation.tasks().every((frame) => frame.task.correlationId === "mine")).toBe(true);
  expect(logsOnly.tasks()).toHaveLength(0);
});

test.concurrent("a client that does not read costs bounded memory and still gets everything in the end", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  await using client = connect(box, "?types=task");
  await client.hello();
  client.socket.pause();
  const payload = "x".repeat(200_000);
  const runAt = new Date(Date.now() + 3_600_000).toISOString();
  const made: string[] = [];
  for (let index = 0; index < 60; index++) made.push((await box.post({ type: "work", runAt, payload })).id);
  client.socket.resume();
  await eventually(() => client.tasks().length === 60, { what: "all frames" });
  expect(client.tasks().map((frame) => frame.task.id)).toEqual(made);
});

test.concurrent("who may not, or asks for nonsense, is refused at the handshake", async () => {
  await using box = await startOrchestrator();
  const auth = (pair: string) => `?auth=${encodeURIComponent(Buffer.from(pair).toString("base64"))}`;
  expect(await refusal(box, "", {})).toBe(401);
  expect(await refusal(box, auth("operator:wrong"), {})).toBe(401);
  expect(await refusal(box, "", { authorization: basic, origin: "https://evil.example" })).toBe(403);
  expect(await refusal(box, "", { authorization: basic, origin: "null" })).toBe(403);
  const foreign = { headers: { origin: "https://evil.example" } };
  expect(await box.call("/stream", foreign)).toMatchObject({ status: 403, body: { error: { code: "forbidden" } } });
  expect((await box.call("/stream", { ...foreign, as: "nobody" })).status).toBe(401);
  expect(await refusal(box, "?since=rubbish", { authorization: basic })).toBe(400);
  expect(await refusal(box, "?nonsense=1", { authorization: basic })).toBe(400);
  expect(await box.call("/ws")).toMatchObject({ status: 426, body: { error: { code: "upgrade_required" } } });
  for (const [query, headers] of [
    [auth("operator:a-test-password"), { origin: dashboardOrigin }],
    ["", { "x-internal-key": internalKey }],
  ] as const) {
    await using client = connect(box, query, headers);
    await client.hello();
  }
});

test.concurrent("?auth= is taken as Base64 writes it, plus signs and all", async () => {
  const pass = ">>>>>>>>>>>>";
  await using box = await startOrchestrator({ env: { BASIC_AUTH_PASS: pass } });
  const auth = Buffer.from(`operator:${pass}`).toString("base64");
  expect(auth).toContain("+");
  for (const query of [`?auth=${auth}`, `?auth=${encodeURIComponent(auth)}`]) {
    await using client = connect(box, query, {});
    await client.hello();
    const abort = new AbortController();
    expect((await fetch(`${box.url}/stream${query}`, { signal: abort.signal })).status).toBe(200);
    abort.abort();
  }
});

test.concurrent("the stream of server-sent events carries the same frames and resumes by Last-Event-ID", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  const read = async (headers: Record<string, string>, enough: (text: string) => boolean, more = "") => {
    const abort = new AbortController();
    const response = await fetch(`${box.url}/stream?types=task${more}`, {
      headers: { authorization: basic, ...headers },
      signal: abort.signal,
    });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (enough(text)) break;
    }
    abort.abort();
    return text
      .split("\n\n")
      .filter(Boolean)
      .map((block) => ({
        id: /^id: (.*)$/m.exec(block)?.[1] ?? "",
        frame: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "null"),
      }));
  };
  const hello = (await read({}, (text) => text.includes("hello")))[0];
  await box.post({ type: "work" });
  const frames = await read({ "last-event-id": hello?.id ?? "" }, (text) => text.includes('"kind":"completed"'));
  for (const { id, frame } of frames) expect(id).toBe(frame.cursor);
  expect(frames.at(-1)?.frame.event.kind).toBe("completed");
  // A browser's EventSource comes back with the URL that it began with.
  const last = frames.at(-1)?.id ?? "";
  const back = await read({ "last-event-id": last }, (text) => text.includes("hello"), `&since=${hello?.id}`);
  expect(back.map(({ id, frame }) => [frame.type, id])).toEqual([["hello", last]]);
});
