import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { httpGet } from "@signalbox/testing/http-get.ts";

/** What is needed to run one service. */
export type ServicePlan = {
  name: string;
  /** The program, an absolute path. */
  main: string;
  url: string;
  env: Record<string, string>;
  /** Of Node itself. */
  flags: readonly string[];
};

export type Ended = { code: number | null; signal: NodeJS.Signals | null };

export type Child = {
  pid: number;
  exited: Promise<Ended>;
  /** Its last lines, for the reason why it did not start. */
  lastLines(): string[];
  /** Asks it to end, once: services take a second request for impatience. */
  askToStop(): void;
  kill(): void;
};

/** Services promise to end within 25 s. */
const stopTimeoutMs = 27_000;

export type OnLine = (line: string, stream: "stdout" | "stderr", pid: number) => void;

export function spawnService(plan: ServicePlan, onLine: OnLine): Child {
  const child = spawn(process.execPath, [...plan.flags, plan.main], {
    env: plan.env,
    // The channel carries nothing: it closes when the supervisor is gone, however it went, and the service then stops.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // Its own group: a Ctrl-C in the terminal reaches the supervisor alone, which stops all in their order.
    detached: true,
  });
  let isAsked = false;
  const recent: string[] = [];
  for (const stream of ["stdout", "stderr"] as const) {
    const input = child[stream];
    if (!input) continue;
    createInterface({ input }).on("line", (line) => {
      recent.push(line);
      if (recent.length > 10) recent.shift();
      onLine(line, stream, child.pid ?? 0);
    });
  }
  return {
    pid: child.pid ?? 0,
    exited: endOf(child),
    lastLines: () => [...recent],
    askToStop() {
      if (!isAsked) child.kill("SIGTERM");
      isAsked = true;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    // "close" comes after the last line; a grandchild that holds the pipes open must not keep us waiting for ever.
    child.once("exit", (code, signal) => {
      const ended = { code, signal };
      child.once("close", () => resolve(ended));
      setTimeout(() => resolve(ended), 1_000).unref();
    });
    child.once("error", () => resolve({ code: 1, signal: null }));
  });
}

/** Asks it to end and waits; kills it when it takes longer than services promise. True when it ended by itself. */
export async function stopChild(child: Child): Promise<boolean> {
  child.askToStop();
  const timer = setTimeout(() => child.kill(), stopTimeoutMs);
  const { signal } = await child.exited;
  clearTimeout(timer);
  return signal !== "SIGKILL";
}

/** True as soon as `/health` answers 200, false when the process ends before or the time is up. */
export async function becomesHealthy(child: Child, url: string, timeoutMs: number): Promise<boolean> {
  let isOver = false;
  const over = child.exited.then(() => {
    isOver = true;
  });
  const giveUpAt = performance.now() + timeoutMs;
  while (!isOver && performance.now() < giveUpAt) {
    if (await isHealthy(url)) return !isOver;
    await Promise.race([delay(40), over]);
  }
  return false;
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await httpGet(`${url}/health`)).status === 200;
  } catch {
    return false;
  }
}
