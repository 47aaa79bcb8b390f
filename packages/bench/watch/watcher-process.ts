import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@signalbox/testing/eventually.ts";
import { findFreePort } from "@signalbox/testing/free-port.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";

export type WatcherProcess = AsyncDisposable & {
  /** @param path such as `/findings` */
  ask<T>(path: string, options?: { method?: string; body?: unknown; prefer?: string }): Promise<T>;
  /** Sets its clock, and resolves when it has heard. */
  turnTo(nowMs: number): Promise<void>;
};

const credentials = {
  BASIC_AUTH_USER: "operator",
  BASIC_AUTH_PASS: "a-bench-password",
  INTERNAL_KEY: "key-of-the-bench",
};
const authorization = `Basic ${Buffer.from(`${credentials.BASIC_AUTH_USER}:${credentials.BASIC_AUTH_PASS}`).toString("base64")}`;

export type WatcherOptions = {
  env: Record<string, string>;
  /** its clock at the start */
  nowMs: number;
  /** definitions by name; they become files, as an operator would have them */
  monitors: Record<string, object>;
};

/** The watcher as an operator would run it, but for its clock, which is ours. */
export async function startWatcherProcess({ env, nowMs, monitors }: WatcherOptions): Promise<WatcherProcess> {
  const [port, folder] = [await findFreePort(), await mkdtemp(join(tmpdir(), "signalbox-month-"))];
  for (const [name, definition] of Object.entries(monitors)) {
    await writeFile(join(folder, `${name}.yaml`), JSON.stringify(definition));
  }
  const url = `http://127.0.0.1:${port}`;
  const child = fork(join(repositoryRoot, "services/posthog-watcher/main.ts"), {
    execArgv: ["--import", join(repositoryRoot, "packages/testing/set-clock.ts")],
    env: {
      ...{ PATH: process.env.PATH ?? "", PORT: String(port), LOG_LEVEL: "fatal", LOGGING_URL: "http://127.0.0.1:9" },
      ...{ MONITORS_DIR: folder, SIGNALBOX_CLOCK_MS: String(nowMs) },
      ...credentials,
      ...env,
    },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const isHealthy = () => fetch(`${url}/health`).then(({ ok }) => ok);
  await eventually(isHealthy, { timeoutMs: 30_000, what: "the watcher" });
  return {
    async ask<T>(
      path: string,
      { method = "GET", body, prefer }: { method?: string; body?: unknown; prefer?: string } = {},
    ) {
      const response = await fetch(url + path, {
        method,
        headers: { authorization, "content-type": "application/json", ...(prefer !== undefined && { prefer }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as T;
    },
    turnTo: (ms) => turn(child, ms),
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await ended;
      clearTimeout(timer);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function turn(child: ChildProcess, nowMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve());
    child.send({ nowMs }, (error) => {
      if (error) reject(error);
    });
  });
}
