import { setTimeout as rest } from "node:timers/promises";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { buildDice } from "@signalbox/testing/dice.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { checkLedger, type SeenRun } from "@signalbox/testing/ledger-check.ts";
import { expect, test } from "vitest";
import {
  type AgentCall,
  reply as answer,
  type Items,
  type Orchestrator,
  startAgent,
  startOrchestrator,
} from "./orchestrator.fixture.ts";

const keyCount = 20;
const tasksPerKey = 15;

type Plan = { key: number; at: number; late?: boolean };

/** What an attempt of a task meets, the same for the same seed. */
function fateOf(seed: number, { key, at }: Plan, attempt: number): number {
  return buildDice(seed + key * 1_000_003 + at * 10_007 + attempt * 101)();
}

/** An agent that mostly works, sometimes fails, waits, defers or hangs, and writes down what it did. */
async function startMoodyAgent(seed: number, pick: () => Orchestrator) {
  const seen: SeenRun[] = [];
  const agent = await startAgent(async (call) => {
    const plan = call.payload as Plan;
    const run: SeenRun = {
      taskId: call.taskId,
      key: String(plan.key),
      attempt: call.attempt,
      begunAt: performance.now(),
      answeredAt: null,
    };
    seen.push(run);
    let isGone = false;
    call.closed.then(() => {
      isGone = true;
    });
    const fate = fateOf(seed, plan, call.attempt);
    await rest(fate * 15);
    if (isGone || fate > 0.98) return undefined;
    run.answeredAt = performance.now();
    return answerBy(fate, call, pick);
  });
  return { ...agent, seen, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}

function answerBy(fate: number, call: AgentCall, pick: () => Orchestrator): unknown {
  if (fate < 0.1) return answer(call.response, 503, { error: { code: "busy", message: "not now" } });
  if (fate < 0.14) return answer(call.response, 400, {});
  if (fate < 0.18 && !("input" in call)) return { waiting: { for: "input", prompt: "?" } };
  if (fate < 0.22) return deferAndEnd(call, pick());
  return { result: call.attempt };
}

function deferAndEnd(call: AgentCall, box: Orchestrator): undefined {
  answer(call.response, 202, {});
  const body = { attempt: call.attempt, status: "completed", result: "later" };
  const end = () => box.call(`/task/${call.taskId}`, { method: "PATCH", as: "service", body });
  // The answer may be read after the end is: then the end waits for nothing, and the answer finds nothing to defer.
  void end().catch(() => undefined);
  return undefined;
}

type Dice = () => number;
type Pick = () => Orchestrator;

/** People who get in the way: they cancel, retry and patch at random, until the signal. */
async function meddle(pick: Pick, dice: Dice, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { items } = (await pick().call<Items<Task>>("/tasks?limit=200")).body;
    for (const task of items) await disturb(pick(), task, dice);
    await answerQuestions(pick());
    await rest(20);
  }
}

async function disturb(box: Orchestrator, task: Task, dice: Dice): Promise<void> {
  const chance = dice();
  const hasEnded = task.finishedAt !== null;
  if (chance < 0.004 && !hasEnded) await act(box, task, "cancel");
  else if (chance < 0.008 && hasEnded) await act(box, task, "retry");
  else if (chance > 0.99 && task.status === "queued") await patchPriority(box, task, dice);
}

async function answerQuestions(box: Orchestrator): Promise<void> {
  const { items } = (await box.call<Items<Task>>("/tasks?waitingFor=input&limit=200")).body;
  await Promise.all(items.map((task) => act(box, task, "input", { ifVersion: task.version, input: "yes" })));
}

const act = (box: Orchestrator, task: Task, action: string, body: object = {}) =>
  box.call(`/task/${task.id}/${action}`, { method: "POST", body });

const patchPriority = (box: Orchestrator, { id, version }: Task, dice: () => number) =>
  box.call(`/task/${id}`, { method: "PATCH", body: { ifVersion: version, priority: Math.floor(dice() * 200) - 100 } });

async function postAll(seed: number, pick: () => Orchestrator): Promise<void> {
  const dice = buildDice(seed);
  const perKey = Array.from({ length: keyCount }, async (_, key) => {
    for (let at = 0; at < tasksPerKey; at++) {
      const late = dice() < 0.05;
      const runAt = late ? { runAt: new Date(Date.now() + 300).toISOString() } : {};
      const payload: Plan = { key, at, ...(late && { late }) };
      const body = { type: "work", concurrencyKey: `key ${key}`, payload, timeoutMs: 1_000, maxAttempts: 4, ...runAt };
      const reply = await pick().call("/task", { method: "POST", body });
      if (reply.status !== 201) throw new Error(`POST /task answered ${reply.status}: ${JSON.stringify(reply.body)}`);
    }
  });
  await Promise.all(perKey);
}

/** Until nothing is open any more; whoever asks is answered. */
async function quiet(box: Orchestrator): Promise<void> {
  const isQuiet = async () => {
    await answerQuestions(box);
    return (await box.call<Items<Task>>("/tasks?status=queued,running,waiting&limit=1")).body.items.length === 0;
  };
  await eventually(isQuiet, { timeoutMs: 60_000, everyMs: 100, what: "quiet" });
}

const seed = Number(process.env.SIGNALBOX_TEST_SEED ?? 20_260_131);

test(`keys stay in order and never overlap over two orchestrators, whatever agents and people do (seed ${seed})`, async () => {
  const dice = buildDice(seed);
  await using box = await startOrchestrator();
  await using second = await startOrchestrator({ database: box.database });
  const living = [box, second];
  const pick = () => living[Math.floor(dice() * living.length)] ?? box;
  await using agent = await startMoodyAgent(seed, pick);
  await box.register(agent, [{ maxConcurrency: 40 }]);

  const people = new AbortController();
  const meddling = meddle(pick, dice, people.signal);
  const posted = postAll(seed, pick);
  await eventually(() => agent.calls.length > 60, { timeoutMs: 20_000, what: "the first runs" });
  // One leaves in the middle of it all and hands its runs back, and another one comes.
  living.splice(1, 1);
  await second.stop();
  await using third = await startOrchestrator({ database: box.database });
  living.push(third);
  await posted;
  await eventually(() => agent.calls.length > 250, { timeoutMs: 40_000, what: "most of the runs" });
  people.abort();
  await meddling;
  await quiet(box);
  const findings = await checkLedger(box.database.pool, agent.seen);
  expect(findings, `seed ${seed}`).toEqual([]);
  const { rows } = await box.database.pool.query("select count(*)::int as n from tasks");
  expect(rows).toEqual([{ n: keyCount * tasksPerKey }]);
}, 120_000);
