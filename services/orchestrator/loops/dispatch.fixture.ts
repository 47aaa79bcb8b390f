/** Engines alone on one database, and agents that answer when a test says so; for tests of who runs what, and when. */
import type { Heartbeat } from "@signalbox/common/contracts/agent.ts";
import type { Doorbell } from "@signalbox/common/doorbell.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { buildRinging } from "@signalbox/common/ringing.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect } from "vitest";
import type { Answer } from "../answer.ts";
import type { AgentClient } from "../clients/agent.ts";
import { buildLogStreamClient } from "../clients/log-stream.ts";
import { type FreeSlot, planSlots } from "../slots.ts";
import { buildStore, type Store } from "../store.ts";
import { buildEngine, type Engine } from "./engine.ts";
import { buildHub, type Hub } from "./hub.ts";

const unused = "http://127.0.0.1:9";
const { log } = buildLog({ service: "orchestrator", level: "fatal", format: "json", print: () => undefined });

export type HeldRun = { taskId: string; type: string; instance: string; attempt: number; answer(with_: Answer): void };

/** Keeps every run until it is answered, and knows how many there were at once. */
function buildHeldAgents() {
  const held = new Set<HeldRun>();
  const most = new Map<string, number>();
  const begun: string[] = [];
  const client: AgentClient = {
    run({ url, body: { taskId, type, attempt }, signal }) {
      return new Promise((resolve) => {
        const answer = (with_: Answer) => {
          held.delete(run);
          resolve(with_);
        };
        const run: HeldRun = { taskId, type, attempt, instance: new URL(url).hostname, answer };
        held.add(run);
        begun.push(taskId);
        const place = `${run.instance} ${type}`;
        const now = [...held].filter((one) => `${one.instance} ${one.type}` === place).length;
        most.set(place, Math.max(now, most.get(place) ?? 0));
        const cut = () => answer({ kind: "unreachable", message: "cut", isAbsent: false });
        signal.addEventListener("abort", cut, { once: true });
        if (signal.aborted) cut();
      });
    },
    close: async () => undefined,
  };
  return { client, held, most, begun };
}

/** Counts the statements of one store that are under way. */
function watchStatements(store: Store) {
  let underWay = 0;
  let asked = 0;
  const watched = new Proxy(store, {
    get(target, name, receiver) {
      const run = Reflect.get(target, name, receiver);
      return async (...rest: unknown[]) => {
        underWay++;
        asked++;
        return await run(...rest).finally(() => underWay--);
      };
    },
  });
  return { store: watched, underWay: () => underWay, asked: () => asked };
}

function buildRest(statements: readonly ReturnType<typeof watchStatements>[]) {
  const countAsked = () => statements.reduce((sum, one) => sum + one.asked(), 0);
  return {
    countAsked,
    /** No statement is under way, nor was one begun for a while: from here only a poll or a timer would begin any. */
    async rest(): Promise<void> {
      let quiet = 0;
      let asked = -1;
      const look = () => {
        const isBusy = countAsked() !== asked || statements.some((one) => one.underWay() > 0);
        quiet = isBusy ? 0 : quiet + 1;
        asked = countAsked();
        // Longer than any doorbell waits, however slow the machine is.
        return quiet >= 20;
      };
      await eventually(look, { everyMs: 5, what: "rest" });
    },
  };
}

const unheard: Doorbell = {
  ring: () => undefined,
  on: () => undefined,
  start: async () => undefined,
  stop: async () => undefined,
};

/** Doorbells of one process: what one engine rings, the others hear soon, as they do through PostgreSQL. */
function buildLocalDoorbells(count: number): Doorbell[] {
  const all = Array.from({ length: count }, (_, at) =>
    buildRinging((channels) => {
      for (const [other, { call }] of all.entries()) if (other !== at) for (const channel of channels) call(channel);
    }),
  );
  return all.map(({ ring, on }) => ({ ...unheard, ring, on }));
}

/** @param over a database to use, and the port through which it is reached */
export async function startEngines(count: number, over?: { database: TestDatabase; port: number }) {
  const database = over?.database ?? (await freshDatabase());
  const url = new URL(database.url);
  if (over) url.port = String(over.port);
  const agents = buildHeldAgents();
  const pools = Array.from({ length: count }, (_, at) =>
    buildPool({ url: url.href, name: `engine ${at}`, max: 6, avoidsScans: true, onError: () => undefined }),
  );
  const statements = pools.map((pool) => watchStatements(buildStore(pool)));
  const logStream = buildLogStreamClient({ url: unused, internalKey: "key" });
  const hub = buildHub({ tail: { position: () => 0, started: Promise.resolve() }, logs: logStream, log });
  const doorbells = buildLocalDoorbells(count);
  const engines = statements.map(({ store }, at) =>
    buildEngine({
      ...{ internalKey: "key", sealingKey: null, instance: `engine-${at}`, agents: agents.client, store, hub, log },
      doorbell: doorbells[at] ?? unheard,
      watch: { called: () => undefined, ended: () => undefined },
      hide: (value) => value,
    }),
  );
  const { rest, countAsked } = buildRest(statements);
  for (const engine of engines) engine.start();
  await eventually(() => engines.every(({ roster }) => roster.standing().of === count), {
    what: "all know each other",
  });

  return {
    database,
    agents,
    engines,
    rest,
    ...buildLedger(database, statements[0]?.store, hub),
    /** What is stuck when all is at rest: what a lost wake-up leaves behind until somebody polls. */
    async stuck(): Promise<string[]> {
      for (;;) {
        await rest();
        const asked = countAsked();
        const types = await findStuck(database, engines);
        // Somebody polled meanwhile, and what was seen belongs to two moments.
        if (asked === countAsked()) return types;
      }
    },
    /** An engine hears an agent, and so do all. */
    async beat(at: number, instance: string, offers: readonly Offer[]): Promise<void> {
      const beat = toBeat(instance, offers);
      await statements[0]?.store.recordHeartbeat(beat);
      engines[at % engines.length]?.roster.hear(beat);
    },
    /** An agent was heard, and those who have not read of it yet do not know. */
    async record(instance: string, offers: readonly Offer[]): Promise<void> {
      await statements[0]?.store.recordHeartbeat(toBeat(instance, offers));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(engines.map((engine) => engine.stop(0)));
      await logStream.close();
      await Promise.all(pools.map((pool) => pool.end()));
      if (!over) await database[Symbol.asyncDispose]();
    },
  };
}

function buildLedger({ pool }: TestDatabase, store: Store | undefined, hub: Hub) {
  let toldUpTo = 0;
  return {
    /** All engines hear from the ledger what happened, as they do by its tail. */
    async tell(): Promise<void> {
      const steps = (await store?.readSteps({ after: toldUpTo, upTo: 1_000_000, limit: 1_000 })) ?? [];
      toldUpTo = steps.at(-1)?.seq ?? toldUpTo;
      hub.publishEvents(steps);
    },
    /** The agent ends a run of its own accord, at nobody's engine. */
    async complete({ taskId, attempt }: HeldRun): Promise<void> {
      const { rows } = await pool.query("select lease_id from tasks where id = $1", [taskId]);
      const lease = { taskId, attempt, leaseId: rows[0].lease_id };
      const outcome = { kind: "complete", result: null } as const;
      const finish = { lease, outcome, actor: "agent:agent", concurrencyKey: null, expired: false };
      expect((await store?.finishAttempts([finish]))?.ended.size).toBe(1);
    },
  };
}

type Offer = { type: string; maxConcurrency: number };

function toBeat(instance: string, offers: readonly Offer[]): Heartbeat {
  return { name: "agent", instance, url: `http://${instance}`, types: offers.map((one) => ({ ...one, path: "/run" })) };
}

export type Engines = Awaited<ReturnType<typeof startEngines>>;

/** Types of which a task is ready although an engine that is not stopping has a slot for it. */
async function findStuck({ pool }: TestDatabase, engines: readonly Engine[]): Promise<string[]> {
  const { rows } = await pool.query("select distinct type from tasks where ready order by type");
  const open = engines.filter((engine) => engine.checks().length === 0);
  const free = new Set(open.flatMap(freeSlots).map(({ type }) => type));
  return rows.map(({ type }) => type as string).filter((type) => free.has(type));
}

/** What an engine itself would take to be free. */
function freeSlots({ roster, dispatcher }: Engine): FreeSlot[] {
  const load = dispatcher.load();
  const others = roster.others();
  const own = new Map([...load.running].map(([key, all]) => [key, all - (others.get(key) ?? 0)]));
  return planSlots(roster.agents(), { ...load, share: { own, ...roster.standing() } }, 1_000);
}
