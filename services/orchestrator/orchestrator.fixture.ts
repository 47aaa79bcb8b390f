/** A whole orchestrator on a database of its own, and agents that do as a test says; for tests only. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AgentType, RunRequest } from "@signalbox/common/contracts/agent.ts";
import type { Task, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { buildConfigReport, ensureConfig } from "@signalbox/common/settings.ts";
import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { request } from "undici";
import { buildApp } from "./app.ts";
import { settings } from "./settings.ts";

export const basic = `Basic ${Buffer.from("operator:a-test-password").toString("base64")}`;
export const internalKey = "test-internal-key";
export const dashboardOrigin = "http://localhost:4080";

/** What a test reads of an error. */
type Refusal = { error: { code: string; message: string; details: { path: string }[] } };

/** The body has what the test says, or the error; which of them it is, is what the test expects of it. */
export type Reply<T = TaskWithEvents> = {
  status: number;
  body: T & Refusal;
  headers: Record<string, string | string[] | undefined>;
};

export type Items<T> = { items: T[]; nextCursor: string | null };

type Call = { method?: string; body?: unknown; headers?: Record<string, string>; as?: "person" | "service" | "nobody" };

const baseEnv = {
  PORT: "0",
  BASIC_AUTH_USER: "operator",
  BASIC_AUTH_PASS: "a-test-password",
  INTERNAL_KEY: internalKey,
  WS_ALLOWED_ORIGINS: dashboardOrigin,
  LOG_LEVEL: "fatal",
  DRAIN_SECONDS: "0",
  LOGGING_URL: "http://127.0.0.1:9",
};

function buildCall(url: string) {
  return async <T = TaskWithEvents>(
    path: string,
    { method = "GET", body, headers = {}, as = "person" }: Call = {},
  ): Promise<Reply<T>> => {
    const all = { person: { authorization: basic }, service: { "x-internal-key": internalKey }, nobody: {} };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const response = await request(url + path, {
      method: method as "GET",
      headers: { ...all[as], ...type, ...headers } as Record<string, string>,
      ...(body === undefined ? {} : { body: isRaw(body) ? body : JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: text === "" ? null : JSON.parse(text), headers: response.headers };
  };
}

export async function startOrchestrator(options: { env?: Record<string, string>; database?: TestDatabase } = {}) {
  const owned = options.database ? null : await freshDatabase();
  const database = options.database ?? owned;
  if (!database) throw new Error("no database");
  const env = { ...baseEnv, DATABASE_URL: database.url, ...options.env };
  const app = buildApp(ensureConfig(settings, env), () => buildConfigReport(settings, env));
  await app.start();
  const url = `http://127.0.0.1:${app.port()}`;

  const call = buildCall(url);
  let stopped: Promise<void> | null = null;
  const stop = () => {
    stopped ??= app.stop();
    return stopped;
  };

  return {
    app,
    /** As SIGTERM does; at the end of its scope it happens by itself. */
    stop,
    url,
    database,
    call,
    async post(body: unknown, headers: Record<string, string> = {}): Promise<Task> {
      const reply = await call("/task", { method: "POST", body, headers });
      if (reply.status !== 201) throw new Error(`POST /task answered ${reply.status}: ${JSON.stringify(reply.body)}`);
      return reply.body;
    },
    async get(id: string): Promise<TaskWithEvents> {
      return (await call(`/task/${id}`)).body;
    },
    /** The task once it is so. */
    until(id: string, isSo: (task: TaskWithEvents) => boolean, what = "the task's state"): Promise<TaskWithEvents> {
      return eventually(
        async () => {
          const task = (await call(`/task/${id}`)).body;
          return isSo(task) ? task : null;
        },
        { what },
      ) as Promise<TaskWithEvents>;
    },
    async register(agent: { url: string }, types: Partial<AgentType>[], name = "fixture"): Promise<void> {
      const beat = {
        name,
        instance: `${name}-1`,
        url: agent.url,
        types: types.map((type) => ({ type: "work", path: "/run", ...type })),
      };
      const reply = await call("/agents/heartbeat", { method: "POST", body: beat, as: "service" });
      if (reply.status !== 200) throw new Error(`heartbeat answered ${reply.status}: ${JSON.stringify(reply.body)}`);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await owned?.[Symbol.asyncDispose]();
    },
  };
}

/** Sent as it is; everything else as JSON. */
function isRaw(body: unknown): body is string | Buffer {
  return typeof body === "string" || Buffer.isBuffer(body);
}

export type Orchestrator = Awaited<ReturnType<typeof startOrchestrator>>;

export type AgentCall = RunRequest & {
  headers: IncomingMessage["headers"];
  response: ServerResponse;
  closed: Promise<void>;
};

/** An agent that answers each run by `answer`: a value is the body of a 200, undefined leaves the answer to the test. */
export async function startAgent(answer: (call: AgentCall) => unknown) {
  const calls: AgentCall[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", async () => {
      const closed = new Promise<void>((resolve) => response.on("close", () => resolve()));
      const call = {
        ...(JSON.parse(Buffer.concat(chunks).toString()) as RunRequest),
        headers: incoming.headers,
        response,
        closed,
      };
      calls.push(call);
      const body = await answer(call);
      if (body !== undefined && !response.headersSent) reply(response, 200, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    /** Resolves once it has been called that many times. */
    called: (times: number) => eventually(() => calls.length >= times, { what: `${times} calls of the agent` }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function reply(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
