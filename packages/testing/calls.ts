/**
 * Calls between a process and a program that it starts: the program answers by name, over the channel that Node opens
 * between the two. The program ends with its parent, however that ends, because the channel does.
 */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { repositoryRoot } from "./repository.ts";

type Call = { number: number; name: string; values: unknown[] };
type Answer = { number: number; value?: unknown; error?: string };
type Ready = { ready: true };

export type Answerable = Record<string, (...values: never[]) => unknown>;

/** In the program: answers every call of the parent, several at a time, until the parent lets go. */
export function answerCalls(calls: Answerable, close: () => Promise<void>): void {
  if (!process.send) throw new Error("this program is started by another one, which calls it");
  const say = (message: Answer | Ready) => void process.send?.(message);
  process.on("message", (call: Call) => {
    void answer(calls, call).then(say);
  });
  process.on("disconnect", () => {
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  // A Ctrl-C reaches the whole group; the parent ends this program in order.
  process.on("SIGINT", () => undefined);
  say({ ready: true });
}

async function answer(calls: Answerable, { number, name, values }: Call): Promise<Answer> {
  try {
    const run = calls[name] as ((...values: unknown[]) => unknown) | undefined;
    if (!run) throw new Error(`there is no call "${name}"`);
    return { number, value: await run(...values) };
  } catch (error) {
    return { number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

export type Callee = AsyncDisposable & {
  pid: number;
  call<T>(name: string, ...values: unknown[]): Promise<T>;
  /** Lets go of it; resolves when it has ended. */
  stop(): Promise<void>;
};

export type CalleeOptions = {
  /** A TypeScript file, from the root of the repository. */
  program: string;
  env?: Record<string, string>;
  nodeOptions?: string[];
};

const stopTimeoutMs = 20_000;

/** Starts a program that answers calls; resolves when it does. */
export async function startCallee({ program, env = {}, nodeOptions = [] }: CalleeOptions): Promise<Callee> {
  const child = fork(join(repositoryRoot, program), [], {
    cwd: repositoryRoot,
    // A library's warnings are no business of whoever runs this.
    env: { PATH: process.env.PATH ?? "", NODE_NO_WARNINGS: "1", ...env },
    execArgv: nodeOptions,
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const ready = Promise.withResolvers<void>();
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()).once("error", () => resolve()));
  child.on("message", (message: Answer | Ready) => {
    if ("ready" in message) return ready.resolve();
    const caller = waiting.get(message.number);
    waiting.delete(message.number);
    if (message.error === undefined) caller?.resolve(message.value);
    else caller?.reject(new Error(`${program}: ${message.error}`));
  });
  void ended.then(() => {
    const error = new Error(`${program} has ended`);
    ready.reject(error);
    for (const { reject } of waiting.values()) reject(error);
  });
  await ready.promise;
  let count = 0;
  const stop = () => stopChild(child, ended);
  return {
    pid: child.pid ?? 0,
    call: <T>(name: string, ...values: unknown[]) =>
      new Promise<T>((resolve, reject) => {
        const number = count++;
        waiting.set(number, { resolve: (value) => resolve(value as T), reject });
        child.send({ number, name, values } satisfies Call, (error) => error && reject(error));
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}
