import { setTimeout as delay } from "node:timers/promises";
import { Client } from "undici";
import { WebSocket } from "ws";
import { type Fleet, serviceOf } from "./fleet-process.ts";
import { basicOf, type EndedTask } from "./task-client.ts";

/*
 * One echo task at a time while nothing else happens, seen from a client: `Prefer: wait` answers the POST when the task has
 * ended, so one request and one clock show the whole way, as a script would go it. A second client listens on /ws meanwhile
 * and notes when the frame of the end arrives there. Between two tasks is a pause of another length each time, so that
 * timers of the fleet are met in every phase.
 */

/** All in ms. */
export type Latencies = { answered: number[]; framed: number[]; stored: number[] };

export type LatencyProbe = {
  /** Takes so many tasks, one after the other. */
  run(count: number, signal: AbortSignal): Promise<Latencies>;
  close(): Promise<void>;
};

const pauseMs = { least: 30, more: 50 };
const frameTimeoutMs = 5_000;

export async function openLatencyProbe(fleet: Fleet): Promise<LatencyProbe> {
  const { url } = serviceOf(fleet, "orchestrator");
  const client = new Client(url, { pipelining: 1 });
  const frames = await followEnds(url, basicOf(fleet.home));
  const headers = {
    "content-type": "application/json",
    authorization: basicOf(fleet.home),
    prefer: "wait=10",
  };

  async function runOne(number: number): Promise<{ answeredMs: number; framedMs: number; storedMs: number }> {
    const body = JSON.stringify({ type: "echo", payload: { hello: "world", number } });
    const startedAt = performance.now();
    const answer = await client.request({ method: "POST", path: "/task", headers, body });
    const task = (await answer.body.json()) as EndedTask;
    const answeredMs = performance.now() - startedAt;
    if (answer.statusCode !== 201 || task.status !== "completed") {
      throw new Error(`an echo task at rest was answered with ${answer.statusCode} ${task.status}`);
    }
    const framedMs = (await frames.endOf(task.id)) - startedAt;
    return { answeredMs, framedMs, storedMs: Date.parse(task.finishedAt) - Date.parse(task.createdAt) };
  }

  return {
    async run(count, signal) {
      const found: Latencies = { answered: [], framed: [], stored: [] };
      for (let number = 0; number < count; number++) {
        await delay(pauseMs.least + pauseMs.more * Math.random(), undefined, { signal });
        const { answeredMs, framedMs, storedMs } = await runOne(number);
        found.answered.push(answeredMs);
        found.framed.push(framedMs);
        found.stored.push(storedMs);
      }
      return found;
    },
    async close() {
      frames.close();
      await client.close();
    },
  };
}

type Frame = { type: string; event?: { kind: string; taskId: string } };

/** When the frame of each task's end arrived. */
async function followEnds(url: string, authorization: string) {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws?types=task`, { headers: { authorization } });
  const ends = new Map<string, number>();
  let heard = Promise.withResolvers<void>();
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve).once("error", reject);
  });
  // A connection that breaks later shows as a frame that does not come.
  socket.on("error", () => undefined);
  socket.on("message", (data) => {
    const { event } = JSON.parse(String(data)) as Frame;
    if (event?.kind !== "completed") return;
    ends.set(event.taskId, performance.now());
    heard.resolve();
    heard = Promise.withResolvers<void>();
  });
  return {
    async endOf(taskId: string): Promise<number> {
      const giveUp = AbortSignal.timeout(frameTimeoutMs);
      for (;;) {
        const at = ends.get(taskId);
        if (at !== undefined && ends.delete(taskId)) return at;
        if (giveUp.aborted) throw new Error(`no frame of the end of task ${taskId} came within ${frameTimeoutMs} ms`);
        await Promise.race([heard.promise, delay(250)]);
      }
    },
    close: () => socket.terminate(),
  };
}
