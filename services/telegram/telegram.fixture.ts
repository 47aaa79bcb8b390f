/** A telegram service before a Telegram stand-in and a real orchestrator; for tests only. */
import type { TaskType } from "@signalbox/common/contracts/agent.ts";
import type { TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { buildConfigReport, ensureConfig } from "@signalbox/common/settings.ts";
import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { type ServiceProcess, startService } from "@signalbox/testing/service-process.ts";
import type { ShownMessage } from "@signalbox/testing/telegram-chats.ts";
import { startTelegramStandIn, type TelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";
import { type App, buildApp, type Overrides } from "./app.ts";
import { settings } from "./settings.ts";

export const internalKey = "test-internal-key";
export const basic = `Basic ${Buffer.from("operator:a-test-password").toString("base64")}`;

const shared = {
  BASIC_AUTH_USER: "operator",
  BASIC_AUTH_PASS: "a-test-password",
  INTERNAL_KEY: internalKey,
  LOGGING_URL: "http://127.0.0.1:9",
  LOG_LEVEL: "fatal",
};

/** The person who may use the bot. */
export const operator = 42;

export type Reply<T> = { status: number; body: T };
export type Items<T> = { items: T[]; nextCursor: string | null };

export async function callService<T = TaskWithEvents>(
  url: string,
  path: string,
  { method = "GET", body, headers = { "x-internal-key": internalKey } }: Call = {},
): Promise<Reply<T>> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}
type Call = { method?: string; body?: unknown; headers?: Record<string, string> };

export type FleetPair = AsyncDisposable & {
  database: TestDatabase;
  orchestrator: ServiceProcess;
  /** calls the orchestrator */
  call<T = TaskWithEvents>(path: string, call?: Call): Promise<Reply<T>>;
};

/** An orchestrator and an echo-agent as processes of their own, on a database of their own. */
export async function startFleet({
  hasEcho = true,
  env = {},
}: {
  hasEcho?: boolean;
  env?: Record<string, string>;
} = {}): Promise<FleetPair> {
  const database = await freshDatabase();
  const orchestrator = await startService({
    main: "services/orchestrator/main.ts",
    env: {
      ...shared,
      DATABASE_URL: database.url,
      RATE_LIMIT_USER_PER_MINUTE: "100000",
      RATE_LIMIT_GLOBAL_PER_MINUTE: "100000",
      DRAIN_SECONDS: "0",
      ...env,
    },
  });
  const echo = hasEcho
    ? await startService({
        main: "services/echo-agent/main.ts",
        env: { ...shared, ORCHESTRATOR_URL: orchestrator.url },
      })
    : null;
  const call = <T = TaskWithEvents>(path: string, options?: Call) => callService<T>(orchestrator.url, path, options);
  if (echo) {
    await eventually(async () => (await call<Items<TaskType>>("/task-types")).body.items.length > 0, {
      what: "the types of the echo-agent",
    });
  }
  return {
    database,
    orchestrator,
    call,
    async [Symbol.asyncDispose]() {
      await Promise.all([orchestrator.stop("SIGKILL"), echo?.stop("SIGKILL")]);
      await database[Symbol.asyncDispose]();
    },
  };
}

/** A program that registers types and answers as a test says is better made by the orchestrator's own API. */
export async function registerType(fleet: FleetPair, types: object[], name = "worker"): Promise<void> {
  const body = { name, instance: `${name}-1`, url: "http://127.0.0.1:9", types };
  await fleet.call("/agents/heartbeat", { method: "POST", body });
}

export type TelegramOptions = {
  fleet: Pick<FleetPair, "database" | "orchestrator">;
  telegram?: TelegramStandIn;
  env?: Record<string, string>;
  overrides?: Overrides;
};

/** Generous: on a busy machine everything takes long, and a failure by time says nothing. */
const timeoutMs = 30_000;

/** Quick enough for tests; the pace itself is tested apart. */
const quickPace = { privateMs: 5, groupMs: 5, perSecond: 500, editMs: 50, tellMs: 100 };

export function toEnv({
  fleet,
  telegram,
  env,
}: TelegramOptions & { telegram: TelegramStandIn }): Record<string, string> {
  return {
    ...shared,
    PORT: "0",
    DATABASE_URL: fleet.database.url,
    ORCHESTRATOR_URL: fleet.orchestrator.url,
    TELEGRAM_BOT_TOKEN: telegram.token,
    TELEGRAM_API_ROOT: telegram.url,
    TELEGRAM_ALLOWED_USER_IDS: String(operator),
    ...env,
  };
}

export type Telegram = AsyncDisposable & {
  app: App;
  url: string;
  telegram: TelegramStandIn;
  stop(): Promise<void>;
  call<T = TaskWithEvents>(path: string, call?: Call): Promise<Reply<T>>;
  /** a person writes */
  say(text: string, chatId?: number, userId?: number): { updateId: number; messageId: number };
  /** the first message of the bot in a chat that is so */
  said(isSo: (message: ShownMessage) => boolean, what?: string, chatId?: number): Promise<ShownMessage>;
  /** presses the button of that label, and answers what the person was told */
  press(message: ShownMessage, label: string, userId?: number): Promise<string | null>;
};

export async function startTelegram(options: TelegramOptions): Promise<Telegram> {
  const telegram = options.telegram ?? (await startTelegramStandIn());
  const env = toEnv({ ...options, telegram });
  const { pace, ...overrides } = options.overrides ?? {};
  const report = () => buildConfigReport(settings, env);
  const app = buildApp(ensureConfig(settings, env), report, { ...overrides, pace: { ...quickPace, ...pace } });
  await app.start();
  const url = `http://127.0.0.1:${app.port()}`;
  let stopped: Promise<void> | null = null;
  const stop = () => {
    stopped ??= app.stop();
    return stopped;
  };
  return {
    app,
    url,
    telegram,
    stop,
    call: (path, call) => callService(url, path, call),
    say: (text, chatId = operator, userId = operator) => telegram.say({ chatId, userId, text }),
    said: (isSo, what = "a message of the bot", chatId = operator) =>
      eventually(() => telegram.messages(chatId).find((message) => message.from === "bot" && isSo(message)), {
        what,
        timeoutMs,
      }),
    press: (message, label, userId = operator) => pressLabel(telegram, { message, label, userId }),
    async [Symbol.asyncDispose]() {
      await stop();
      if (!options.telegram) await telegram[Symbol.asyncDispose]();
    },
  };
}

type Pressed = { message: ShownMessage; label: string; userId: number };

async function pressLabel(telegram: TelegramStandIn, { message, label, userId }: Pressed): Promise<string | null> {
  const buttons = message.keyboard?.inline_keyboard.flat() ?? [];
  const button = buttons.find(({ text }) => text.includes(label));
  if (button?.callback_data === undefined) throw new Error(`no button ${label} under ${JSON.stringify(message)}`);
  const { chatId, messageId } = message;
  const { queryId } = telegram.press({ chatId, userId, messageId, data: button.callback_data });
  const query = await eventually(() => telegram.queries.get(queryId)?.isAnswered && telegram.queries.get(queryId), {
    what: "the answer to a press",
    timeoutMs,
  });
  return query.answer;
}
