/** renderctl in this process, a real orchestrator and the stand-in for Render beside it; for tests only. */
import { type Agent, defineTaskType } from "@signalbox/common/agent.ts";
import type { Task, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { buildConfigReport, ensureConfig } from "@signalbox/common/settings.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startRenderStandIn } from "@signalbox/testing/render-stand-in/server.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { startTestAgent } from "@signalbox/testing/test-agent.ts";
import { Type } from "typebox";
import { request } from "undici";
import { buildApp, type Overrides } from "./app.ts";
import { settings } from "./settings.ts";

const basic = `Basic ${Buffer.from("operator:a-test-password").toString("base64")}`;
const internalKey = "test-internal-key";
const shared = {
  BASIC_AUTH_USER: "operator",
  BASIC_AUTH_PASS: "a-test-password",
  INTERNAL_KEY: internalKey,
  LOGGING_URL: "http://127.0.0.1:9",
  LOG_LEVEL: "fatal",
};

export const ownerId = "tea-cjnxpkdhshc73d12t9i0";
export const site = {
  ...{ type: "static_site", name: "site", repo: "https://github.com/acme/web", rootDir: "apps/site" },
  serviceDetails: { buildCommand: "npm ci && npm run build", publishPath: "dist" },
};

type Refusal = { error: { code: string; message: string; details: { path: string }[] } };

/** What most acts are answered with: what was made or begun, and the task as which it goes on. */
export type Begun = { id: string; ownerId: string; taskId: string; deployId: string; applyId: string };
export type Items<T> = { items: T[]; nextCursor: string | null };

/** The body has what the test says, or the error; which of them it is, is what the test expects of it. */
export type Reply<T> = {
  status: number;
  body: T & Refusal;
  headers: Record<string, string | string[] | undefined>;
  text: string;
};
type Call = { method?: string; body?: unknown; headers?: Record<string, string>; as?: "person" | "service" | "nobody" };

const credentials = { person: { authorization: basic }, service: { "x-internal-key": internalKey }, nobody: {} };

function buildCall<Usual>(url: string) {
  return async <T = Usual>(
    path: string,
    { method = "GET", body, headers = {}, as = "person" }: Call = {},
  ): Promise<Reply<T>> => {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const response = await request(url + path, {
      method: method as "GET",
      headers: { ...credentials[as], ...type, ...headers } as Record<string, string>,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      headers: response.headers,
      text,
      body: text === "" ? null : JSON.parse(text),
    };
  };
}

type Options = {
  render?: Parameters<typeof startRenderStandIn>[0];
  env?: Record<string, string>;
  overrides?: Overrides;
};

export async function startRenderctl({ render: renderOptions, env = {}, overrides = {} }: Options = {}) {
  const database = await freshDatabase();
  const render = await startRenderStandIn(renderOptions);
  const orchestrator = await startService({
    main: "services/orchestrator/main.ts",
    env: { ...shared, DATABASE_URL: database.url, SECRETS_KEY: "a-secrets-key-of-tests", DRAIN_SECONDS: "0" },
  });
  const values = {
    ...{ ...shared, PORT: "0", DATABASE_URL: database.url, ORCHESTRATOR_URL: orchestrator.url },
    ...{ RENDER_API_TOKEN: render.token, RENDER_API_BASE_URL: render.apiUrl },
    ...env,
  };
  const running = new Set<Agent>();
  const start = async () => {
    const options = { pollMs: 25, askMs: 15_000, drainMs: 100, ...overrides };
    const app = buildApp(ensureConfig(settings, values), () => buildConfigReport(settings, values), options);
    await app.start();
    running.add(app);
    return app;
  };
  const stop = async (one: Agent) => {
    if (running.delete(one)) await one.stop();
  };
  const app = await start();
  const onOrchestrator = buildCall<TaskWithEvents>(orchestrator.url);
  await eventually(async () => (await onOrchestrator("/task-types")).text.includes("render.env"), {
    what: "the types",
  });
  const task = async (id: string): Promise<TaskWithEvents> => (await onOrchestrator(`/task/${id}`)).body;
  return {
    render,
    database,
    orchestrator,
    app,
    /** One more instance of the same service. */
    start,
    stop,
    call: buildCall<Begun>(`http://127.0.0.1:${app.port()}`),
    onOrchestrator,
    task,
    makeTask: async (body: unknown, as: Call["as"] = "person"): Promise<Task> =>
      (await onOrchestrator("/task", { method: "POST", body, as })).body,
    until: (id: string, isSo: (task: TaskWithEvents) => boolean) =>
      eventually(
        async () => {
          const now = await task(id);
          return isSo(now) && now;
        },
        { what: `task ${id} being so`, timeoutMs: 20_000 },
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map(stop));
      await orchestrator.stop();
      await render[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

export type TakenNotice = { text: string; kind: string; incident: string; dedupeKey: string; taskId?: string };

/** Somebody who tells operators, such as telegram does; what they would be told. */
export async function takeNotices({ orchestrator, onOrchestrator }: Renderctl) {
  const notices: TakenNotice[] = [];
  const chat = await startTestAgent({ url: orchestrator.url, internalKey }, [
    defineTaskType({
      ...{ type: "telegram.notify", path: "/run/notify", description: "Tells nobody" },
      payloadSchema: Type.Unsafe<TakenNotice>(Type.Object({}, { additionalProperties: true })),
      run: async ({ payload }) => {
        notices.push(payload);
        return { result: {} };
      },
    }),
  ]);
  await eventually(async () => (await onOrchestrator("/task-types")).text.includes("telegram.notify"), {
    what: "somebody who takes notices",
  });
  return { notices, [Symbol.asyncDispose]: () => chat[Symbol.asyncDispose]() };
}

export type Renderctl = Awaited<ReturnType<typeof startRenderctl>>;

/** What Render was told about in the task's audit. */
export function sideEffects({ events }: TaskWithEvents): string[] {
  return events
    .filter(({ kind }) => kind === "side_effect")
    .map(({ data }) => `${(data as { method: string }).method} ${(data as { operation: string }).operation}`);
}
