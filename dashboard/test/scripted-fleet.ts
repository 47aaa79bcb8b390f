import type { Duplex } from "node:stream";
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Frame } from "@signalbox/common/contracts/frame.ts";
import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { type WebSocket, WebSocketServer } from "ws";
import { aTrace, nextId, toEvent, toLog, toTask } from "./records.ts";
import { basic, refusal, type Scripted, ScriptedService } from "./scripted-service.ts";

/** A frame before the stream has given it its cursor. */
type Uncut<F> = F extends { cursor: string } ? Omit<F, "cursor"> : never;
export type NewFrame = Uncut<Exclude<Frame, { type: "hello" }>>;
type Sent = Exclude<Frame, { type: "hello" }>;

const padded = (position: number) => String(position).padStart(8, "0");

/**
 * A fleet whose every answer and frame a test decides: an orchestrator with its stream, and logging. It keeps what it was told, as
 * the real one does, so that a page that resumes or reads again gets exactly what it missed.
 */
export class ScriptedFleet {
  readonly orchestrator = new ScriptedService("orchestrator");
  readonly logging = new ScriptedService("logging");
  readonly tasks = new Map<string, Task>();
  readonly events: TaskEvent[] = [];
  readonly logs: Log[] = [];
  readonly sockets = new Set<WebSocket>();
  /** How many handshakes there were, and how the next ones are refused. */
  handshakes = 0;
  refuseSockets = false;
  heartbeatMs = 15_000;
  #frames: Sent[] = [];
  #dropped = 0;
  readonly #others: ScriptedService[] = [];
  readonly #upgrades = new WebSocketServer({ noServer: true });
  #waiting: (() => void)[] = [];

  constructor() {
    this.#scriptTasks();
    this.logging.on("GET /logs", ({ query }) => this.#listLogs(query));
    this.#scriptFigures();
    this.orchestrator.server.on("upgrade", (request, socket, head) => {
      const url = new URL(request.url ?? "/", "http://scripted");
      this.handshakes++;
      if (this.refuseSockets || url.searchParams.get("auth") !== this.orchestrator.accepted) refuseUpgrade(socket);
      else
        this.#upgrades.handleUpgrade(request, socket, head, (opened) =>
          this.#greet(opened, url.searchParams.get("since")),
        );
    });
  }

  get services(): Record<string, string> {
    return Object.fromEntries(this.#all.map(({ name, url }) => [name, url]));
  }

  get #all(): ScriptedService[] {
    return [this.orchestrator, this.logging, ...this.#others];
  }

  async listen(): Promise<void> {
    await Promise.all([this.orchestrator.listen(), this.logging.listen()]);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    await Promise.all(this.#all.map((service) => service.close()));
  }

  allow(origin: string): void {
    for (const service of this.#all) service.allowedOrigin = origin;
  }

  /** One more service, before the page is opened. */
  async add(name: string): Promise<ScriptedService> {
    const service = new ScriptedService(name);
    await service.listen();
    service.allowedOrigin = this.orchestrator.allowedOrigin;
    this.#others.push(service);
    return service;
  }

  /** Waits for the next page to be connected, or resolves at once when one is. */
  async connected(): Promise<void> {
    if (this.sockets.size === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  dropSockets(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  /** Says one more thing on the stream; a page that is away gets it when it resumes. */
  say(frame: NewFrame): void {
    const sent = { ...frame, cursor: padded(this.#dropped + this.#frames.length + 1) } as Sent;
    this.#frames.push(sent);
    for (const socket of this.sockets) socket.send(JSON.stringify(sent));
  }

  /** Sends the newest frames once more, as an at-least-once source may. */
  repeat(count: number): void {
    for (const frame of this.#frames.slice(-count))
      for (const socket of this.sockets) socket.send(JSON.stringify(frame));
  }

  /** Stores a task with its event and says so. */
  put(task: Task, kind: TaskEvent["kind"], data: Record<string, unknown> = {}): Task {
    const event = toEvent(task, kind, { data });
    this.store(task, event);
    this.say({ type: "task", event, task });
    return task;
  }

  store(task: Task, ...events: TaskEvent[]): Task {
    this.tasks.set(task.id, task);
    this.events.push(...events);
    return task;
  }

  log(change: Partial<Log>): Log {
    const log = toLog(change);
    this.logs.push(log);
    this.say({ type: "log", log });
    return log;
  }

  /** Forgets frames that a resuming page would ask for, as a real stream does in time. */
  forgetFrames(): void {
    this.#dropped += this.#frames.length;
    this.#frames = [];
  }

  #greet(socket: WebSocket, since: string | null): void {
    const end = this.#dropped + this.#frames.length;
    const from = since === null ? end : Number(since);
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    const hello: Frame = {
      type: "hello",
      cursor: padded(from),
      heartbeatMs: this.heartbeatMs,
      instance: "scripted-1",
      version: "0.1.0",
    };
    socket.send(JSON.stringify(hello));
    if (from < this.#dropped)
      socket.send(
        JSON.stringify({
          type: "gap",
          cursor: padded(this.#dropped),
          reason: "retention",
          dropped: this.#dropped - from,
        }),
      );
    for (const frame of this.#frames.slice(Math.max(0, from - this.#dropped))) socket.send(JSON.stringify(frame));
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #scriptTasks(): void {
    this.orchestrator.on("GET /tasks", ({ query }) => this.#listTasks(query));
    this.orchestrator.on("GET /task-types", () => ({ body: { items: [echoType], nextCursor: null } }));
    this.orchestrator.on("POST /task", ({ body }) => {
      const { type, payload } = body as { type: string; payload: unknown };
      const task = this.put(toTask({ type, payload, source: "dashboard" }), "created");
      this.readable(task.id);
      return { status: 201, body: task, headers: { Location: `/task/${task.id}` } };
    });
  }

  /** What screens read beside their rows: figures of a fleet in which little happens. */
  #scriptFigures(): void {
    const until = new Date().toISOString();
    const since = new Date(Date.now() - 3_600_000).toISOString();
    const none = { p50: null, p95: null, p99: null };
    this.orchestrator.on("GET /tasks/stats", () => ({
      body: {
        ...{ since, until, bucketMs: 60_000, total: 0, byStatus: {}, byType: {}, waitMs: none, runMs: none },
        ...{ success: { byType: {}, byAgent: {} }, buckets: [] },
      },
    }));
    this.logging.on("GET /logs/stats", () => ({
      body: { since, until, bucketSeconds: 60, rows: this.logs.length, buckets: [] },
    }));
    this.logging.on("GET /events/signatures", () => ({ body: { items: [], nextCursor: null } }));
    for (const path of ["/schedules", "/subscriptions", "/webhooks/deliveries", "/agents"])
      this.orchestrator.on(`GET ${path}`, () => ({ body: { items: [], nextCursor: null } }));
    this.orchestrator.on(`GET /trace/${aTrace}`, () => ({
      body: { traceId: aTrace, tasks: [], logs: [], timeline: [], notes: [] },
    }));
  }

  /** Lets one task be read at its own path. */
  readable(id: string): void {
    this.orchestrator.on(`GET /task/${id}`, () => {
      const task = this.tasks.get(id);
      return task
        ? { body: { ...task, events: this.events.filter(({ taskId }) => taskId === id) } }
        : refusal(404, "not_found", "no such task");
    });
  }

  #listTasks(query: URLSearchParams): Scripted {
    const statuses = query.get("status")?.split(",");
    const fits = (task: Task) =>
      (!statuses || statuses.includes(task.status)) &&
      ["correlationId", "traceId", "type", "parentId"].every(
        (name) => !query.has(name) || query.get(name) === task[name as "type"],
      );
    const all = [...this.tasks.values()].filter(fits).sort((left, right) => (left.id < right.id ? 1 : -1));
    const after = query.get("cursor");
    const rest = after ? all.filter(({ id }) => id < after) : all;
    return { body: toPage(rest, Number(query.get("limit") ?? 50)) };
  }

  #listLogs(query: URLSearchParams): Scripted {
    const [since, until, traceId] = [query.get("since"), query.get("until"), query.get("traceId")];
    const fits = (log: Log) =>
      (!since || log.at >= since) && (!until || log.at < until) && (!traceId || log.traceId === traceId);
    const all = this.logs.filter(fits).sort((left, right) => (left.id < right.id ? 1 : -1));
    const after = query.get("cursor");
    return { body: toPage(after ? all.filter(({ id }) => id < after) : all, Number(query.get("limit") ?? 100)) };
  }
}

function toPage<T extends { id: string }>(rows: readonly T[], limit: number) {
  const items = rows.slice(0, limit);
  return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}

function refuseUpgrade(socket: Duplex): void {
  socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

const echoType = {
  type: "echo",
  description: "Mirrors its payload",
  timeoutMs: 30_000,
  agents: ["echo-agent"],
  live: true,
  payloadSchema: {
    type: "object",
    required: ["text"],
    properties: {
      text: { type: "string", title: "Text", minLength: 1 },
      delayMs: { type: "integer", title: "Delay in ms", minimum: 0, maximum: 60_000 },
      mode: { enum: ["plain", "loud"], title: "Mode", default: "plain" },
    },
  },
};

export { basic, nextId };
