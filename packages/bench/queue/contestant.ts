import { answerCalls } from "@signalbox/testing/calls.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { runAtOnce } from "../run-at-once.ts";
import { openAgentClient } from "./agent-client.ts";

/** What every task carries. */
export type Payload = { hello: "world"; number: number };

/** The work of one task: nothing but the answer, here or over HTTP. */
export type Work = (task: { id: string; payload: Payload }) => Promise<unknown>;

/** One library for background work, used by a program of its own as its documentation says. */
export type Contestant = {
  /** Makes its tables and connects. */
  prepare(): Promise<void>;
  /** Queues one task with its record; when it resolves both are committed. */
  enqueue(payload: Payload): Promise<unknown>;
  /** The library's own call alone, where the record is more than that. */
  enqueueBare?(payload: Payload): Promise<unknown>;
  /** Queues that many at once, which nobody measures. */
  load(count: number): Promise<void>;
  /** Begins to run what is queued. */
  start(work: Work, purpose: Purpose): Promise<Runner>;
  /** True once every queued task has its end and its record. */
  isIdle(): Promise<boolean>;
  /** Milliseconds between the creation and the end of each task that ended since the last call, by the database's rows. */
  takeLatencies(): Promise<number[]>;
  close(): Promise<void>;
};

/** Set for many tasks at once, or to begin a lone one soon. */
export type Purpose = "throughput" | "latency";
export type Runner = { stop(): Promise<void> };

const payloadOf = (number: number): Payload => ({ hello: "world", number });
const drainTimeoutMs = 120_000;

/** Lets the benchmark call a contestant in its own process. */
export function answerAs(contestant: Contestant): void {
  let resting: Runner | null = null;
  const calls = {
    prepare: () => contestant.prepare(),
    async enqueue(count: number, atOnce: number, isBare: boolean) {
      const one = isBare ? contestant.enqueueBare : contestant.enqueue;
      if (!one) throw new Error("there is no such way to queue a task");
      const startedAt = performance.now();
      await runAtOnce(count, atOnce, async (number) => void (await one(payloadOf(number))));
      return (performance.now() - startedAt) / 1_000;
    },
    async drain(count: number, agentUrl: string | null) {
      await contestant.load(count);
      return await drain(contestant, count, agentUrl);
    },
    async openRest() {
      resting = await contestant.start(async ({ payload }) => answerOf(payload), "latency");
    },
    enqueueOne: async (number: number) => void (await contestant.enqueue(payloadOf(number))),
    isIdle: () => contestant.isIdle(),
    takeLatencies: () => contestant.takeLatencies(),
    async closeRest() {
      await resting?.stop();
      resting = null;
    },
  };
  answerCalls(calls, () => contestant.close());
}

const answerOf = (payload: Payload) => ({ echo: payload });

/** From the start of the first task to the end of the last, in seconds. */
async function drain(contestant: Contestant, count: number, agentUrl: string | null): Promise<number> {
  const agent = agentUrl === null ? null : openAgentClient(agentUrl);
  let [startedAt, left] = [0, count];
  const work: Work = async (task) => {
    if (left === count) startedAt = performance.now();
    left--;
    return agent === null ? answerOf(task.payload) : await agent.run(task);
  };
  const runner = await contestant.start(work, "throughput");
  try {
    const isOver = async () => left <= 0 && (await contestant.isIdle());
    await eventually(isOver, { timeoutMs: drainTimeoutMs, everyMs: 4, what: `the end of ${count} tasks` });
    return (performance.now() - startedAt) / 1_000;
  } finally {
    await runner.stop();
    await agent?.close();
  }
}
