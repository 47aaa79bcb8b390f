import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";

/** The program of a Redis or Valkey that this machine has; null when it has none. */
export const redisProgram: string | null = findProgram(["valkey-server", "redis-server"]);

/** For the titles of tests that run only where there is one. */
export const redisTitle =
  redisProgram === null ? "over Redis (NOT CHECKED: neither redis-server nor valkey-server is on PATH)" : "over Redis";

function findProgram(names: readonly string[]): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return paths.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export type RedisServer = {
  url: string;
  port: number;
  stop(): Promise<void>;
  /** Again, on the same port, after a `stop`. */
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** A real server that only this test uses and that stores nothing. @throws Error when the machine has none */
export async function startRedis(options: { password?: string } = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-redis-"));
  const port = await findFreePort();
  let running = await run(folder, port, options.password);
  const stop = () => running.stop();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop,
    async start() {
      running = await run(folder, port, options.password);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function run(folder: string, port: number, password = "") {
  if (redisProgram === null) throw new Error("neither redis-server nor valkey-server is on PATH");
  const settings = {
    port: String(port),
    bind: "127.0.0.1",
    dir: folder,
    save: "",
    appendonly: "no",
    requirepass: password,
  };
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
  const child = spawn(redisProgram, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (output += part.toString()));
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()).once("error", () => resolve()));
  // Also when this process ends before its test does.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  await eventually(() => output.includes("eady to accept connections"), { what: `a Redis that listens: ${output}` });
  return {
    async stop() {
      kill();
      process.off("exit", kill);
      await exited;
    },
  };
}
