import { setTimeout as rest } from "node:timers/promises";
import type { Logger } from "pino";
import type { AgentCalls } from "./agent-calls.ts";
import type { AgentType, Heartbeat } from "./contracts/agent.ts";
import { CallError } from "./fleet-call.ts";

export type HeartbeatLoop = {
  /** the last heartbeat arrived */
  isConnected(): boolean;
  /** Runs until the signal aborts; never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** Says that this instance takes nothing any more, so that no run is sent to it only to be refused. */
  leave(): Promise<void>;
};

const defaultEveryMs = 10_000;
const firstRetryMs = 250;
const maxRetryMs = 5_000;

export function buildHeartbeatLoop(options: {
  calls: Pick<AgentCalls, "heartbeat">;
  instance: { name: string; instance: string; types: AgentType[] };
  /** asked anew each time: the port is known only once the server listens */
  url: () => string;
  log: Logger;
  everyMs?: number;
}): HeartbeatLoop {
  const everyMs = options.everyMs ?? defaultEveryMs;
  let state: "starting" | "connected" | "lost" = "starting";
  let failures = 0;

  function beat(types: AgentType[]): Promise<void> {
    return options.calls.heartbeat({ ...options.instance, types, url: options.url() } satisfies Heartbeat);
  }

  function succeeded(): number {
    if (state !== "connected") options.log.info(state === "lost" ? "the orchestrator is back" : "registered");
    state = "connected";
    failures = 0;
    return everyMs * (0.9 + Math.random() * 0.2);
  }

  function failed(error: unknown): number {
    // Told once, not every few seconds for as long as it lasts.
    const status = error instanceof CallError ? error.status : null;
    if (failures === 0) options.log.warn({ err: error, status }, "heartbeats do not arrive; they go on");
    state = "lost";
    failures++;
    // A refusal does not get better by asking quickly; a wrong key or address stays wrong.
    if (error instanceof CallError && !error.isPassing) return everyMs;
    return Math.min(maxRetryMs, everyMs, firstRetryMs * 1.6 ** Math.min(failures - 1, 20)) * (0.5 + Math.random() / 2);
  }

  return {
    isConnected: () => state === "connected",
    async run(signal) {
      while (!signal.aborted) {
        const delayMs = await beat(options.instance.types).then(succeeded, failed);
        await rest(delayMs, undefined, { signal }).catch(() => undefined);
      }
    },
    leave: () => beat([]),
  };
}
