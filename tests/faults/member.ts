import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { join } from "node:path";
import type { Exit } from "@signalbox/testing/embedded-postgres.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { findFreePort } from "@signalbox/testing/free-port.ts";
import { httpGet } from "@signalbox/testing/http-get.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";

/** How one start differs from the others: a wrong clock, a limit. */
export type Variant = { nodeArgs?: string[]; env?: Record<string, string>; inFront?: string[] };

export type MemberOptions = {
  name: string;
  /** A TypeScript file, from the root of the repository. */
  main: string;
  env: Record<string, string>;
  /** Everything it says is kept here, over all its starts. */
  folder: string;
  /** It ended although nobody told it to. */
  onUnexpectedEnd: (what: string) => void;
};

const startTimeoutMs = 40_000;

/** One process of the fleet, on one port over all its starts; what a supervisor would do is done by the suite. */
export class Member {
  readonly name: string;
  readonly port: number;
  readonly outputFile: string;
  readonly #options: MemberOptions;
  readonly #output: WriteStream;
  #child: ChildProcess | null = null;
  #exited: Promise<Exit> = Promise.resolve({ code: 0, signal: null });
  #isEnding = false;
  isFrozen = false;
  /** Of the present start, when it is not the ordinary one. */
  variant: Variant = {};
  starts = 0;

  static async create(options: MemberOptions): Promise<Member> {
    return new Member(options, await findFreePort());
  }

  private constructor(options: MemberOptions, port: number) {
    this.#options = options;
    this.name = options.name;
    this.port = port;
    this.outputFile = join(options.folder, `${options.name}.log`);
    this.#output = createWriteStream(this.outputFile, { flags: "a" });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#child !== null;
  }

  async start(variant: Variant = {}): Promise<void> {
    this.#spawn(variant);
    const isUp = async () => !this.isAlive || (await httpGet(`${this.url}/health`)).status === 200;
    await eventually(isUp, { timeoutMs: startTimeoutMs, what: `${this.name} at ${this.url}` });
  }

  /** SIGKILL, or another signal; resolves when it is gone. */
  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<Exit> {
    this.endNow(signal);
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), 40_000);
    const exit = await this.#exited;
    clearTimeout(timer);
    return exit;
  }

  /** The same without waiting, for the moment that a trap is sprung. */
  endNow(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#isEnding = true;
    this.thaw();
    this.#child?.kill(signal);
  }

  freeze(): void {
    if (this.#child?.kill("SIGSTOP")) this.isFrozen = true;
  }

  thaw(): void {
    if (this.isFrozen) this.#child?.kill("SIGCONT");
    this.isFrozen = false;
  }

  async close(): Promise<void> {
    if (this.isAlive) await this.end("SIGTERM");
    await new Promise((resolve) => this.#output.end(resolve));
  }

  #spawn(variant: Variant): void {
    if (this.isAlive) throw new Error(`${this.name} runs already`);
    const { nodeArgs = [], env = {}, inFront = [] } = variant;
    const { main } = this.#options;
    const [program = "", ...args] = [...inFront, process.execPath, ...nodeArgs, join(repositoryRoot, main)];
    const child = spawn(program, args, {
      cwd: repositoryRoot,
      env: {
        PATH: process.env.PATH ?? "",
        HOST: "127.0.0.1",
        PORT: String(this.port),
        PUBLIC_URL: this.url,
        ...this.#options.env,
        ...env,
      },
      // With a channel to us it stops when we are gone, however that came.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    child.stdout?.pipe(this.#output, { end: false });
    child.stderr?.pipe(this.#output, { end: false });
    this.#child = child;
    this.#isEnding = false;
    this.isFrozen = false;
    this.variant = variant;
    this.starts++;
    this.#exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#child = null;
        if (!this.#isEnding) this.#options.onUnexpectedEnd(`${this.name} ended by itself with ${signal ?? code}`);
        resolve({ code, signal });
      });
      child.once("error", () => resolve({ code: null, signal: null }));
    });
  }
}
