import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Exit } from "./embedded-postgres.ts";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";
import { httpGet } from "./http-get.ts";
import { repositoryRoot } from "./repository.ts";

export type RunningProcess = {
  pid: number;
  /** All that it has written to stdout and stderr so far. */
  output(): string;
  /** The first output that matches; fails when the process ends without it. */
  says(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  exited: Promise<Exit>;
  /** Sends the signal and waits for the end; SIGKILL after 30 s. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type ServiceProcess = RunningProcess & { url: string; port: number };

export type ProcessOptions = {
  /** A TypeScript file, from the root of the repository. */
  main: string;
  args?: string[];
  /** Of Node itself. */
  flags?: readonly string[];
  /** The whole environment but PATH: nothing of ours leaks into what is tested. */
  env?: Record<string, string>;
  cwd?: string;
};

/** Runs one of the repository's programs as a process of its own, as an operator would. */
export function startProcess({
  main,
  args = [],
  flags = [],
  env = {},
  cwd = repositoryRoot,
}: ProcessOptions): RunningProcess {
  const child = spawn(process.execPath, [...flags, join(repositoryRoot, main), ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  }
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
    child.once("error", reject);
  });
  const stop = (signal: NodeJS.Signals = "SIGTERM") => stopChild(child, exited, signal);
  return {
    pid: child.pid ?? 0,
    output: () => text,
    says: (pattern, timeoutMs = 60_000) => {
      const isOver = () => child.exitCode !== null || child.signalCode !== null;
      return findInOutput(() => text, isOver, { pattern, timeoutMs });
    },
    exited,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** The same for a service: gives it a free port and waits until its `/health` answers 200. */
export async function startService(options: ProcessOptions & { timeoutMs?: number }): Promise<ServiceProcess> {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { HOST: "127.0.0.1", PORT: String(port), PUBLIC_URL: url, ...options.env };
  const service = startProcess({ ...options, env });
  let over: Exit | null = null;
  service.exited.then(
    (exit) => {
      over = exit;
    },
    () => undefined,
  );
  try {
    await eventually(async () => over !== null || (await isHealthy(url)), {
      timeoutMs: options.timeoutMs ?? 60_000,
      what: `${options.main} at ${url}/health`,
    });
    if (over) throw new Error(`it ended with ${JSON.stringify(over)}`);
    return { ...service, url, port };
  } catch (error) {
    await service.stop("SIGKILL");
    throw new Error(`${options.main} did not become healthy; it said:\n${service.output()}`, { cause: error });
  }
}

async function isHealthy(url: string): Promise<boolean> {
  return (await httpGet(`${url}/health`)).status === 200;
}

async function findInOutput(
  text: () => string,
  isOver: () => boolean,
  { pattern, timeoutMs }: { pattern: RegExp; timeoutMs: number },
): Promise<RegExpExecArray> {
  const found = await eventually(() => pattern.exec(text()) ?? isOver(), {
    timeoutMs,
    what: `${pattern} in the output`,
  }).catch((error: Error) => {
    throw new Error(`${error.message}; the output:\n${text()}`);
  });
  // What the process wrote last may arrive after its end was seen.
  const match = found === true ? pattern.exec(text()) : found;
  if (match === null) throw new Error(`the process ended without ${pattern}; the output:\n${text()}`);
  return match;
}

async function stopChild(child: ChildProcess, exited: Promise<Exit>, signal: NodeJS.Signals): Promise<Exit> {
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  try {
    return await exited;
  } finally {
    clearTimeout(timer);
  }
}
