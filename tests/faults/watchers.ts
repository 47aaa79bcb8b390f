import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Frame } from "@signalbox/common/contracts/frame.ts";
import { parseStreamCursor } from "@signalbox/common/cursor.ts";
import type { Dice } from "@signalbox/testing/dice.ts";
import { Agent, request } from "undici";
import { WebSocket } from "ws";
import type { Member } from "./member.ts";
import type { World } from "./world.ts";

/*
 * Clients of the live stream, over WebSocket or as server-sent events. Each keeps what it was shown, over every connection that it
 * loses or drops, and goes on from its last cursor at whichever orchestrator it finds.
 */

/** One frame as it was shown; a gap is a place where some may be missing. */
export type Shown = { kind: "event" | "log"; what: string } | { kind: "gap" };

export type Wanted = { types: "task" | "log"; correlationId?: string; service?: string };

export type Watcher = {
  name: string;
  wanted: Wanted;
  /** Of the first hello: what came after it was to be shown. */
  from(): number | null;
  shown: Shown[];
  /** The orchestrators that it was connected to, one after the other. */
  places(): readonly string[];
  stop(): Promise<void>;
};

/** Two heartbeats: who is silent for longer is dead. */
const silenceMs = 32_000;
const helloMs = 12_000;
const connections = new Agent({ connections: 256, bodyTimeout: 0, connect: { timeout: 3_000 } });

export function startWatcher(world: World, number: number, wanted: Wanted): Watcher {
  const watcher = new StreamWatcher(world, number, wanted);
  void watcher.run();
  return watcher;
}

class StreamWatcher implements Watcher {
  readonly name: string;
  readonly wanted: Wanted;
  readonly shown: Shown[] = [];
  readonly #world: World;
  readonly #dice: Dice;
  readonly #stopping = new AbortController();
  readonly #number: number;
  readonly #isSocket: boolean;
  readonly #ended = Promise.withResolvers<void>();
  #cursor: string | null = null;
  #from: number | null = null;
  readonly #places: string[] = [];

  constructor(world: World, number: number, wanted: Wanted) {
    this.#world = world;
    this.wanted = wanted;
    this.#number = number;
    this.#isSocket = number % 2 === 0;
    this.name = `${this.#isSocket ? "WebSocket" : "SSE"} client ${number}`;
    this.#dice = world.dice("watcher", number);
  }

  from = (): number | null => this.#from;
  places = (): readonly string[] => this.#places;

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended.promise;
  }

  async run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { url, name } = this.#pick();
      const connection = new AbortController();
      const signal = AbortSignal.any([this.#stopping.signal, connection.signal]);
      const watchdog = new Watchdog(connection);
      const take = (text: string) => {
        watchdog.fed();
        this.#take(JSON.parse(text) as Frame);
      };
      this.#places.push(name);
      const follow = this.#isSocket ? followSocket : followEvents;
      await follow({ url, query: this.#query(), headers: this.#world.secrets.credentials.person, take, signal });
      watchdog.stop();
      await pause(50 + 200 * this.#dice(), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
    this.#ended.resolve();
  }

  /** First the one of its number, so that there is somebody at each; later whichever it finds. */
  #pick(): Member {
    const { orchestrators } = this.#world;
    const first = this.#places.length === 0 ? orchestrators[this.#number % orchestrators.length] : undefined;
    return first ?? this.#dice.pick(orchestrators);
  }

  #query(): string {
    const { types, correlationId, service } = this.wanted;
    const query = new URLSearchParams({
      types,
      ...(correlationId && { correlationId }),
      ...(service && { service }),
      ...(this.#cursor !== null && { since: this.#cursor }),
    });
    return query.toString();
  }

  #take(frame: Frame): void {
    this.#cursor = frame.cursor;
    if (frame.type === "hello") {
      const { task, log } = parseStreamCursor(frame.cursor);
      this.#from ??= this.wanted.types === "task" ? task : log;
    } else if (frame.type === "task") {
      const { taskId, version, kind } = frame.event;
      this.shown.push({ kind: "event", what: `${taskId} ${version} ${kind}` });
      if (frame.task.id !== taskId || frame.task.version !== version)
        this.#world.violate(
          "I5",
          `${this.name} was shown ${frame.task.id} ${frame.task.version} beside ${taskId} ${version}`,
        );
    } else if (frame.type === "log") this.shown.push({ kind: "log", what: frame.log.id });
    else if (frame.type === "gap") this.shown.push({ kind: "gap" });
  }
}

/** Ends a connection on which nothing comes. */
class Watchdog {
  readonly #connection: AbortController;
  #timer: NodeJS.Timeout;

  constructor(connection: AbortController) {
    this.#connection = connection;
    this.#timer = setTimeout(() => connection.abort(), helloMs);
  }

  fed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connection.abort(), silenceMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#connection.abort();
  }
}

type Follow = {
  url: string;
  query: string;
  headers: Record<string, string>;
  take: (text: string) => void;
  signal: AbortSignal;
};

/** Resolves when the connection is over, however that came. */
async function followSocket({ url, query, headers, take, signal }: Follow): Promise<void> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws?${query}`, { headers });
  const over = Promise.race([once(socket, "close"), once(socket, "error")]).catch(() => undefined);
  socket.on("error", () => undefined);
  socket.on("message", (data) => take(String(data)));
  const end = () => socket.terminate();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  await over;
  signal.removeEventListener("abort", end);
  socket.terminate();
}

async function followEvents({ url, query, headers, take, signal }: Follow): Promise<void> {
  try {
    const { statusCode, body } = await request(`${url}/stream?${query}`, { headers, dispatcher: connections, signal });
    if (statusCode !== 200) return await body.dump();
    await eachEvent(body.setEncoding("utf8"), take);
  } catch {
    // It is over, and the next connection goes on from the last cursor.
  }
}

async function eachEvent(body: AsyncIterable<string>, take: (text: string) => void): Promise<void> {
  let rest = "";
  for await (const chunk of body) {
    const parts = (rest + chunk).split("\n\n");
    rest = parts.pop() ?? "";
    const lines = parts.flatMap((part) => part.split("\n")).filter((line) => line.startsWith("data: "));
    for (const line of lines) take(line.slice("data: ".length));
  }
}

export function closeWatchers(): Promise<void> {
  return connections.destroy();
}
