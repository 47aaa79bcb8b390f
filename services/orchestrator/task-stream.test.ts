import type { Frame } from "@signalbox/common/contracts/frame.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  reply as answer,
  basic,
  dashboardOrigin,
  type Orchestrator,
  startAgent,
  startOrchestrator,
} from "./orchestrator.fixture.ts";

/** Reads the stream of a task to its end. */
async function readToEnd(box: Orchestrator, id: string, headers: Record<string, string> = {}): Promise<Frame[]> {
  const response = await fetch(`${box.url}/tasks/${id}/stream`, { headers: { authorization: basic, ...headers } });
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  return [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? "") as Frame);
}

function openSocket(box: Orchestrator, id: string, query = "", headers: Record<string, string> = {}) {
  const url = `${box.url.replace("http", "ws")}/tasks/${id}/stream${query}`;
  const socket = new WebSocket(url, { headers: { authorization: basic, ...headers } });
  const frames: Frame[] = [];
  socket.on("message", (data) => frames.push(JSON.parse(String(data))));
  socket.on("error", () => undefined);
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  const refused = new Promise<number | undefined>((resolve) =>
    socket.on("unexpected-response", (_request, response) => resolve(response.statusCode)),
  );
  return { socket, frames, closed, refused, [Symbol.dispose]: () => socket.terminate() };
}

const shown = (frames: readonly Frame[]) =>
  frames.flatMap((frame) => (frame.type === "task" ? [`${frame.event.taskId} ${frame.event.kind}`] : []));

test.concurrent("one task from its first event to its end, whenever the stream is opened, and nobody else's", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(async (call) => {
    const headers = { "x-internal-key": "test-internal-key", "content-type": "application/json" };
    const body = JSON.stringify({ attempt: call.attempt, message: "half", percent: 50 });
    await fetch(`${box.url}/task/${call.taskId}/progress`, { method: "POST", headers, body });
    return { result: 1 };
  });
  await box.register(agent, [{}]);
  await box.post({ type: "work" });
  const { id } = await box.post({ type: "work" });
  await box.post({ type: "work" });
  const live = await readToEnd(box, id);
  const late = await readToEnd(box, id);
  const wanted = ["created", "started", "progress", "completed"].map((kind) => `${id} ${kind}`);
  expect(shown(live)).toEqual(wanted);
  expect(shown(late)).toEqual(wanted);
  expect(live[0]).toMatchObject({ type: "hello", cursor: expect.any(String) });
  expect(live.findLast((frame) => frame.type === "task")).toMatchObject({ task: { status: "completed", result: 1 } });
});

test.concurrent("children and theirs are in it, and the end of what was canceled with the root", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const later = { type: "work", runAt: "2199-01-01T00:00:00Z" };
  const root = await box.post(later);
  const before = await box.post({ ...later, parentId: root.id });
  using client = openSocket(box, root.id);
  await eventually(() => shown(client.frames).length === 2, { what: "what there was" });
  const child = await box.post({ ...later, parentId: root.id });
  const grandchild = await box.post({ ...later, parentId: child.id });
  const stranger = await box.post(later);
  await eventually(() => shown(client.frames).length === 4, { what: "the new members" });
  await box.call(`/task/${root.id}/cancel`, { method: "POST" });
  expect(await client.closed).toBe(1000);
  const family = [root, before, child, grandchild].map(({ id }) => id);
  expect(shown(client.frames).slice(0, 4)).toEqual(family.map((id) => `${id} created`));
  expect(shown(client.frames).slice(4).sort()).toEqual(family.map((id) => `${id} canceled`).sort());
  expect(shown(client.frames).join()).not.toContain(stranger.id);
});

test.concurrent("it resumes by its cursor with exactly what was missed, and ends at once when nothing was", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  const { id } = await box.post({ type: "work" });
  const first = openSocket(box, id);
  await eventually(() => shown(first.frames).length === 2, { what: "its start" });
  first.socket.terminate();
  await first.closed;
  for (const { response } of agent.calls) answer(response, 200, { result: 1 });
  await box.until(id, (task) => task.status === "completed");
  const missed = await readToEnd(box, id, { "last-event-id": first.frames.at(-1)?.cursor ?? "" });
  expect(shown(missed)).toEqual([`${id} completed`]);
  expect(shown(await readToEnd(box, id, { "last-event-id": missed.at(-1)?.cursor ?? "" }))).toEqual([]);
});

test.concurrent("a task that is retried before the stream has closed keeps it open", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  await box.register({ url: "http://127.0.0.1:9" }, [{ type: "other" }]);
  const { id } = await box.post({ type: "work", runAt: "2199-01-01T00:00:00Z" });
  using client = openSocket(box, id);
  await eventually(() => shown(client.frames).length === 1, { what: "its creation" });
  await box.call(`/task/${id}`, { method: "PATCH", body: { ifVersion: 1, status: "completed" } });
  await box.call(`/task/${id}/retry`, { method: "POST" });
  await box.call(`/task/${id}/cancel`, { method: "POST" });
  expect(await client.closed).toBe(1000);
  expect(shown(client.frames).map((line) => line.split(" ")[1])).toEqual(["created", "patched", "patched", "canceled"]);
});

test.concurrent("who may not, or asks for nobody, is refused", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id } = await box.post({ type: "work" });
  expect((await box.call(`/tasks/${id}/stream`, { as: "nobody" })).status).toBe(401);
  expect((await box.call(`/tasks/${uuidv7()}/stream`)).status).toBe(404);
  expect((await box.call("/tasks/nonsense/stream")).status).toBe(400);
  expect((await box.call(`/tasks/${id}/stream?since=nonsense`)).status).toBe(400);
  expect(await openSocket(box, uuidv7()).refused).toBe(404);
  expect(await openSocket(box, "nonsense").refused).toBe(404);
  expect(await openSocket(box, id, "?since=nonsense").refused).toBe(400);
  expect(await openSocket(box, id, "", { authorization: "Basic bm8=" }).refused).toBe(401);
  expect(await openSocket(box, id, "", { origin: "http://evil.example" }).refused).toBe(403);
  expect((await box.call(`/tasks/${id}/stream`, { headers: { origin: "http://evil.example" } })).status).toBe(403);
  using allowed = openSocket(box, id, "", { origin: dashboardOrigin });
  await eventually(() => allowed.frames.length > 0, { what: "hello" });
});
