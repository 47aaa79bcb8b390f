import { createReadStream, existsSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";

/*
 * What the page needs of a fleet and no more, so that the browser and not a database is measured: the built files, empty lists,
 * and a real socket that sends log frames at a set pace.
 */

const types: Record<string, string> = {
  html: "text/html",
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
};
const none = { p50: null, p95: null, p99: null };
const emptyList = { items: [], nextCursor: null };

export type StandIn = {
  url: string;
  /** Sends so many log frames a second for a while; the answer is how many were sent. */
  send: (perSecond: number, forMs: number, signal: AbortSignal) => Promise<number>;
  connected: () => boolean;
  close: () => Promise<void>;
};

const levels = ["info", "info", "info", "debug", "warn", "error"];
const services = ["orchestrator", "logging", "echo-agent", "renderctl"];
const words = [
  "run finished",
  "POST /task/:id/progress 200",
  "claimed a task for an agent with a free slot",
  "GET /health 200",
];

function toFrame(number: number): string {
  const at = new Date().toISOString();
  const hex = number.toString(16).padStart(12, "0");
  const log = {
    id: `0193a7c4-0000-7000-8000-${hex}`,
    at,
    level: levels[number % levels.length],
    service: services[number % services.length],
    message: `${words[number % words.length]} ${number}`,
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    correlationId: null,
    taskId: null,
    data: { durationMs: number % 900, route: "/task/:id" },
  };
  return JSON.stringify({ type: "log", cursor: String(number).padStart(10, "0"), log });
}

function answerOf(path: string, url: string): unknown {
  const now = new Date().toISOString();
  const since = new Date(Date.now() - 3_600_000).toISOString();
  if (path === "/config.json") return { fleet: "bench", services: { orchestrator: url, logging: url } };
  if (path === "/health") return { status: "ok", service: "bench", version: "0.1.0", uptimeSeconds: 60 };
  if (path === "/config/validate") return { service: "bench", ok: true, schemaHash: "0", settings: [] };
  if (path === "/logs/stats") return { since, until: now, bucketSeconds: 60, rows: 0, buckets: [] };
  if (path === "/tasks/stats") {
    const success = { byType: {}, byAgent: {} };
    return {
      since,
      until: now,
      bucketMs: 60_000,
      total: 0,
      byStatus: {},
      byType: {},
      waitMs: none,
      runMs: none,
      success,
      buckets: [],
    };
  }
  return ["/tasks", "/logs", "/task-types"].includes(path) ? emptyList : null;
}

const cors = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "Authorization, Content-Type",
  "Access-Control-Allow-Methods": "GET, POST",
};

function handle(request: IncomingMessage, response: ServerResponse, place: { url: string; files: string }): void {
  const path = new URL(request.url ?? "/", place.url).pathname;
  const isApi = request.headers.authorization !== undefined || path === "/config.json" || path === "/health";
  const body = isApi ? answerOf(path, place.url) : null;
  if (request.method === "OPTIONS" || body !== null || request.method === "POST") {
    response.writeHead(200, { ...cors, "Content-Type": "application/json" }).end(JSON.stringify(body));
    return;
  }
  const file = join(place.files, path.includes(".") ? path.slice(1) : "index.html");
  if (!existsSync(file)) {
    response.writeHead(404, cors).end();
    return;
  }
  response.writeHead(200, { "Content-Type": types[file.split(".").at(-1) ?? ""] ?? "text/plain" });
  createReadStream(file).pipe(response);
}

const TICK_MS = 20;

/** @param files the built page */
export async function startStandIn(files: string): Promise<StandIn> {
  const place = { url: "", files };
  const server = createServer((request, response) => handle(request, response, place));
  const sockets = new Set<WebSocket>();
  const upgrades = new WebSocketServer({ server });
  let sent = 0;
  upgrades.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const hello = {
      type: "hello",
      cursor: String(sent).padStart(10, "0"),
      heartbeatMs: 60_000,
      instance: "bench",
      version: "0.1.0",
    };
    socket.send(JSON.stringify(hello));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  place.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: place.url,
    connected: () => sockets.size > 0,
    async send(perSecond, forMs, signal) {
      const startedAt = performance.now();
      let count = 0;
      for (let elapsedMs = 0; elapsedMs < forMs; elapsedMs = performance.now() - startedAt) {
        const due = Math.min(Math.floor((elapsedMs / 1000) * perSecond), Math.floor((forMs / 1000) * perSecond));
        for (; count < due; count++) {
          const frame = toFrame(++sent);
          for (const socket of sockets) socket.send(frame);
        }
        await delay(TICK_MS, undefined, { signal });
      }
      return count;
    },
    async close() {
      for (const socket of sockets) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
