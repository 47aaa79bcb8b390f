/**
 * The whole orchestrator with its agents inside the process and its routes called without HTTP, as other queues are used: a
 * program that the benchmark calls. Everything else is on, as in a fleet: claims under leases, fences, events, the live tail.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { Route, RouteInput } from "@signalbox/common/route.ts";
import { buildConfigReport, ensureConfig } from "@signalbox/common/settings.ts";
import { newTrace } from "@signalbox/common/trace.ts";
import { answerCalls } from "@signalbox/testing/calls.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { buildApp } from "./app.ts";
import type { AgentClient } from "./clients/agent.ts";
import { settings } from "./settings.ts";

const type = "echo";
/** As many as the other queues hold at once when they are set for throughput. */
const maxConcurrency = 400;
const drainTimeoutMs = 120_000;

const env = {
  PORT: "0",
  BASIC_AUTH_USER: "bench",
  BASIC_AUTH_PASS: "bench-bench-bench",
  INTERNAL_KEY: "bench-internal-key",
  LOG_LEVEL: "error",
  LOGGING_URL: "http://127.0.0.1:9",
  DATABASE_URL: process.env.DATABASE_URL ?? "",
};

let [startedAt, left] = [0, 0];
const agents: AgentClient = {
  async run({ body }) {
    if (startedAt === 0) startedAt = performance.now();
    left--;
    return { kind: "answered", status: 200, body: { result: { echo: body.payload } }, retryAfterMs: 0 };
  },
  close: async () => undefined,
};

const app = buildApp(ensureConfig(settings, env), () => buildConfigReport(settings, env), { agents });
const pool = new pg.Pool({ connectionString: env.DATABASE_URL, max: 2 });

function routeOf(method: string, path: string): Route {
  const found = app.routes.find((route) => route.method === method && route.path === path);
  if (!found) throw new Error(`there is no ${method} ${path}`);
  return found;
}

const createTask = routeOf("POST", "/task");
const heartbeat = routeOf("POST", "/agents/heartbeat");

/** What a request would have brought, checked and parsed. */
function toInput(body: unknown, kind: "person" | "service"): RouteInput<unknown, unknown, unknown> {
  const trace = newTrace();
  const principal = kind === "person" ? { kind, name: "bench" } : { kind, name: "bench" };
  const signal = new AbortController().signal;
  return { params: {}, query: {}, body, headers: {}, principal, actor: `${kind}:bench`, trace, signal } as never;
}

async function enqueue(number: number): Promise<Task> {
  const body = { type, payload: { hello: "world", number } };
  const reply = (await createTask.handle(toInput(body, "person"))) as { body: Task };
  return reply.body;
}

async function beat(types: readonly string[]): Promise<void> {
  const offered = types.map((name) => ({ type: name, path: "/run", maxConcurrency }));
  const body = { name: "bench", instance: "bench-1", url: "http://127.0.0.1:9", types: offered };
  await heartbeat.handle(toInput(body, "service"));
}

async function atOnce(count: number, most: number, work: (number: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const loop = async () => {
    while (next < count) await work(next++);
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: most }, loop));
  return (performance.now() - began) / 1_000;
}

const tickMs = 10;

/** Queues tasks at an even rate; resolves when the last is stored. */
async function produce(perSecond: number, seconds: number): Promise<void> {
  const wanted = perSecond * seconds;
  const made: Promise<unknown>[] = [];
  const began = performance.now();
  while (made.length < wanted) {
    const due = Math.min(wanted, Math.ceil(((performance.now() - began) / 1_000) * perSecond));
    while (made.length < due) made.push(enqueue(made.length));
    await pause(tickMs);
  }
  await Promise.all(made);
}

async function isIdle(): Promise<boolean> {
  const { rows } = await pool.query(
    "select not exists (select from tasks where status in ('queued', 'running', 'waiting')) as idle",
  );
  return rows[0].idle;
}

/** From the start of the first task to the end of the last, in seconds. */
async function drain(count: number): Promise<number> {
  [startedAt, left] = [0, count];
  await beat([type]);
  const isOver = async () => left <= 0 && (await isIdle());
  await eventually(isOver, { timeoutMs: drainTimeoutMs, everyMs: 4, what: `the end of ${count} tasks` });
  const seconds = (performance.now() - startedAt) / 1_000;
  await beat(["other"]);
  return seconds;
}

let seenUntil = new Date();
answerCalls(
  {
    async prepare() {
      await app.start();
      await beat([type]);
      await beat(["other"]);
    },
    port: () => app.port(),
    produce,
    enqueue: (count: number, most: number) => atOnce(count, most, enqueue),
    async drain(count: number) {
      await atOnce(count, 200, enqueue);
      return await drain(count);
    },
    openRest: () => beat([type]),
    enqueueOne: async (number: number) => void (await enqueue(number)),
    isIdle,
    async takeLatencies() {
      const text = "select extract(epoch from finished_at - created_at) * 1000 as ms from tasks where finished_at > $1";
      const { rows } = await pool.query(text, [seenUntil]);
      seenUntil = new Date();
      return rows.map((row) => Number(row.ms));
    },
    closeRest: () => beat(["other"]),
  },
  async () => {
    await app.stop();
    await pool.end();
  },
);
