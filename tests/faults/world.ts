import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskType } from "@signalbox/common/contracts/agent.ts";
import type { Cluster } from "@signalbox/testing/cluster.ts";
import { freshDatabase, ownCluster, type TestDatabase } from "@signalbox/testing/database.ts";
import { buildDice, type Dice } from "@signalbox/testing/dice.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startTcpProxy, type TcpProxy } from "@signalbox/testing/tcp-proxy.ts";
import { Client } from "./client.ts";
import { Member } from "./member.ts";
import { buildSecrets, type Secrets } from "./secrets.ts";

/*
 * The fleet under test: real processes on a real PostgreSQL of its own. Between an orchestrator and PostgreSQL, and between the
 * orchestrators and each agent, stands a network that can be broken. Agents reach the orchestrators through a front that takes
 * whichever listens, as behind a load balancer; users know all of them.
 */

export type WorldOptions = { seed: number; orchestrators: number; say: (line: string) => void };

/** A broken promise with what is needed to look into it. */
export type Violation = { invariant: string; what: string };

const workers = 3;

export class World {
  readonly seed: number;
  readonly say: (line: string) => void;
  readonly folder: string;
  readonly cluster: Cluster;
  readonly database: TestDatabase;
  readonly secrets: Secrets;
  readonly violations: Violation[] = [];
  readonly orchestrators: Member[] = [];
  readonly workers: Member[] = [];
  readonly runsFiles: string[] = [];
  /** Before PostgreSQL, one an orchestrator; the last one is logging's. */
  readonly databaseNets: TcpProxy[] = [];
  /** Before the workers. */
  readonly agentNets: TcpProxy[] = [];
  #front: TcpProxy | null = null;
  #logging: Member | null = null;
  #crooked: Member | null = null;

  static async open(options: WorldOptions): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), "signalbox-faults-"));
    await chmod(folder, 0o755);
    // What was answered must survive a crash of the server, as in production.
    const settings = { synchronous_commit: "on", fsync: "on", full_page_writes: "on", autovacuum: "on" };
    const cluster = await ownCluster({ settings });
    const world = new World(options, folder, cluster, await freshDatabase(cluster.url));
    try {
      await world.#startAll(options.orchestrators);
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  private constructor(options: WorldOptions, folder: string, cluster: Cluster, database: TestDatabase) {
    this.seed = options.seed;
    this.say = options.say;
    this.folder = folder;
    this.cluster = cluster;
    this.database = database;
    this.secrets = buildSecrets(options.seed);
  }

  get logging(): Member {
    if (!this.#logging) throw new Error("logging was not started");
    return this.#logging;
  }

  get crooked(): Member {
    if (!this.#crooked) throw new Error("the crooked agent was not started");
    return this.#crooked;
  }

  get front(): TcpProxy {
    if (!this.#front) throw new Error("the front was not started");
    return this.#front;
  }

  get members(): Member[] {
    return [...this.orchestrators, this.logging, ...this.workers, this.crooked];
  }

  dice(...label: (string | number)[]): Dice {
    return buildDice(this.seed, ...label);
  }

  violate(invariant: string, what: string): void {
    this.violations.push({ invariant, what });
    this.say(`  VIOLATED ${invariant}: ${what}`);
  }

  client(...label: (string | number)[]): Client {
    const bases = () => this.orchestrators.map(({ url }) => url);
    const { credentials } = this.secrets;
    const onAnswer = (what: string, text: string) => {
      for (const found of this.secrets.findIn(text)) this.violate("I9", `${found} stands in the answer to ${what}`);
    };
    return new Client({ bases, credentials, onAnswer }, this.dice("client", ...label));
  }

  /** The suite's own look at the tables: it waits out a server that is away. */
  async query<T = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> {
    return eventually(async () => (await this.database.pool.query(text, values)).rows as T[], {
      timeoutMs: 60_000,
      everyMs: 200,
      what: `an answer to ${text.slice(0, 60)}`,
    });
  }

  /** Everything runs, with its ordinary environment and a network that works. */
  async heal(): Promise<void> {
    for (const net of [...this.databaseNets, ...this.agentNets]) net.set({ kind: "clear" });
    for (const member of this.members) member.thaw();
    if (!isUp(this.cluster)) await this.cluster.start();
    const odd = this.members.filter(({ variant }) => Object.keys(variant).length > 0);
    await Promise.all(odd.map((member) => member.isAlive && member.end("SIGTERM")));
    await Promise.all(this.members.filter(({ isAlive }) => !isAlive).map((member) => member.start()));
  }

  async close(): Promise<void> {
    for (const net of [...this.databaseNets, ...this.agentNets]) net.set({ kind: "clear" });
    const started = [...this.orchestrators, ...this.workers, this.#crooked, this.#logging];
    await Promise.all(started.map((member) => member?.close()));
    const nets = [...this.databaseNets, ...this.agentNets, this.#front];
    await Promise.all(nets.map((net) => net?.[Symbol.asyncDispose]()));
    if (isUp(this.cluster)) await this.database[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
    if (this.violations.length > 0) this.say(`  what the processes said is kept in ${this.folder}`);
    else await rm(this.folder, { recursive: true, force: true });
  }

  async #startAll(orchestrators: number): Promise<void> {
    this.#front = await startTcpProxy(() => this.#inTurn());
    const loggingEnv = await this.#databaseEnv();
    this.#logging = await this.#create("logging", "services/logging/main.ts", loggingEnv);
    await this.#logging.start();
    for (let at = 1; at <= orchestrators; at++) {
      const env = { ...(await this.#databaseEnv()), SPOOL_DIR: join(this.folder, "spool"), DRAIN_SECONDS: "5" };
      this.orchestrators.push(await this.#create(`orchestrator-${at}`, "services/orchestrator/main.ts", env));
    }
    this.databaseNets.push(...this.databaseNets.splice(0, 1));
    await Promise.all(this.orchestrators.map((member) => member.start()));
    for (let at = 1; at <= workers; at++) await this.#addWorker(at);
    this.#crooked = await this.#create("crooked", "tests/faults/crooked-main.ts", {});
    await Promise.all([...this.workers, this.#crooked].map((member) => member.start()));
    await this.#typesKnown();
  }

  async #addWorker(at: number): Promise<void> {
    const file = join(this.folder, `runs-${at}`);
    const net = await startTcpProxy(() => [this.workers[at - 1]?.port ?? 0]);
    const env = {
      RUNS_FILE: file,
      TOKEN: this.secrets.token,
      PUBLIC_URL: `http://127.0.0.1:${net.port}`,
      SPOOL_DIR: join(this.folder, "spool"),
    };
    this.runsFiles.push(file);
    this.agentNets.push(net);
    this.workers.push(await this.#create(`worker-${at}`, "tests/faults/worker-main.ts", env));
  }

  /** A network of its own to PostgreSQL. */
  async #databaseEnv(): Promise<Record<string, string>> {
    const net = await startTcpProxy(() => [this.cluster.port]);
    this.databaseNets.push(net);
    const url = new URL(this.database.url);
    url.port = String(net.port);
    url.password = this.secrets.databasePassword;
    return { DATABASE_URL: url.href };
  }

  #create(name: string, main: string, env: Record<string, string>): Promise<Member> {
    const all = {
      ...this.secrets.env,
      ORCHESTRATOR_URL: `http://127.0.0.1:${this.front.port}`,
      LOGGING_URL: this.#logging?.url ?? "http://127.0.0.1:9",
      ...env,
    };
    const onUnexpectedEnd = (what: string) => this.violate("processes live", what);
    return Member.create({ name, main, env: all, folder: this.folder, onUnexpectedEnd });
  }

  #turn = 0;
  /** Another orchestrator first for each connection. */
  #inTurn(): number[] {
    const ports = this.orchestrators.map(({ port }) => port);
    const first = this.#turn++ % ports.length;
    return [...ports.slice(first), ...ports.slice(0, first)];
  }

  async #typesKnown(): Promise<void> {
    const client = this.client("start");
    const known = async () => {
      const reply = await client.once<{ items: TaskType[] }>("/task-types");
      const types = reply?.body?.items ?? [];
      return types.filter(({ live }) => live).length >= 11;
    };
    await eventually(known, { timeoutMs: 30_000, everyMs: 100, what: "every type of task" });
  }
}

function isUp(cluster: Cluster): boolean {
  try {
    process.kill(cluster.pid, 0);
    return true;
  } catch {
    return false;
  }
}
