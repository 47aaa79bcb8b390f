import { setTimeout as pause } from "node:timers/promises";
import type { ErrorReply } from "@signalbox/common/contracts/errors.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { Dice } from "@signalbox/testing/dice.ts";
import { Agent, request } from "undici";

/** What was asked for, or the error: whoever asked judges by the status which of them it is. Null when it was no JSON. */
export type Reply<T = Task> = { status: number; body: T & ErrorReply; text: string };

export type Asked = {
  method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
  as?: "person" | "service";
  timeoutMs?: number;
  /** Which orchestrator; default any. */
  base?: string;
};

/** What the requests of all users came to. */
export type Traffic = { requests: number; unknown: number; refused: number; repeats: number; slowestMs: number };

export type ClientOptions = {
  bases: () => readonly string[];
  credentials: Record<"person" | "service", Record<string, string>>;
  /** Sees every answer, for what must not stand in any. */
  onAnswer: (what: string, text: string) => void;
};

const connections = new Agent({ connections: 256, keepAliveTimeout: 4_000, connect: { timeout: 3_000 } });
const timeoutMs = 12_000;
const longestPauseMs = 1_000;
const avoidMs = 10_000;

/** A client of the orchestrators that knows how to take no for an answer: each user has one. */
export class Client {
  readonly #options: ClientOptions;
  readonly #dice: Dice;
  /** Until when whoever did not answer is left alone. */
  readonly #silent = new Map<string, number>();
  readonly traffic: Traffic = { requests: 0, unknown: 0, refused: 0, repeats: 0, slowestMs: 0 };

  constructor(options: ClientOptions, dice: Dice) {
    this.#options = options;
    this.#dice = dice;
  }

  /** Asks once; null when no answer came, so that nobody knows what became of it. */
  async once<T = Task>(path: string, asked: Asked = {}): Promise<Reply<T> | null> {
    const { method = "GET", body, headers = {}, as = "person" } = asked;
    const base = asked.base ?? this.#pick();
    const startedAt = performance.now();
    this.traffic.requests++;
    try {
      const response = await request(base + path, {
        method,
        dispatcher: connections,
        signal: AbortSignal.timeout(asked.timeoutMs ?? timeoutMs),
        headers: {
          ...this.#options.credentials[as],
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.body.text();
      this.traffic.slowestMs = Math.max(this.traffic.slowestMs, performance.now() - startedAt);
      if (response.statusCode >= 500) this.traffic.refused++;
      this.#options.onAnswer(`${method} ${path} (${response.statusCode})`, text);
      return { status: response.statusCode, body: parse(text), text };
    } catch {
      this.traffic.unknown++;
      this.#silent.set(base, performance.now() + avoidMs);
      return null;
    }
  }

  #pick(): string {
    const bases = this.#options.bases();
    const now = performance.now();
    const well = bases.filter((base) => (this.#silent.get(base) ?? 0) < now);
    return this.#dice.pick(well.length > 0 ? well : bases);
  }

  /** Asks until there is an answer that another try would not better; null when the time is up. */
  async persist<T = Task>(path: string, asked: Asked & { giveUpMs: number }): Promise<Reply<T> | null> {
    const giveUpAt = performance.now() + asked.giveUpMs;
    for (let tries = 0; ; tries++) {
      const reply = await this.once<T>(path, asked);
      if (reply !== null && reply.status < 500 && reply.status !== 429) return reply;
      if (performance.now() > giveUpAt) return null;
      this.traffic.repeats++;
      await pause(Math.min(longestPauseMs, 50 * 2 ** Math.min(tries, 5)) * this.#dice());
    }
  }
}

function parse(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Ends kept connections, so that the process can end. */
export function closeClients(): Promise<void> {
  return connections.destroy();
}
