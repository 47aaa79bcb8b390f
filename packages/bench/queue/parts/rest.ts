import { setTimeout as delay } from "node:timers/promises";
import type { Callee } from "@signalbox/testing/calls.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { atMost, type Finding, shown } from "../../measure.ts";
import { median } from "../../statistics.ts";
import { asPerson, json } from "../arena.ts";
import { type Orchestrator, openOrchestrator } from "../orchestrator.ts";
import { bestOf, inTurns, type Part, type PartOptions, ratios } from "../part.ts";
import { dbos, graphileWorker, openSide, pgBoss, type Side, signalbox } from "../rivals.ts";

const sides: readonly Side[] = [signalbox, graphileWorker, pgBoss, dbos];
const tasksAtRest = 40;
const pauseMs = { least: 30, more: 50 };

export const rest: Part = {
  name: "rest",
  about: `
${tasksAtRest} tasks a round and side, one after the other with pauses of ${pauseMs.least} to ${pauseMs.least + pauseMs.more} ms, while nothing else happens: from the creation to
the end of each, by the times in the row that each side keeps of it. *Creation to agent* is the orchestrator's real process:
from before the POST is sent to when the agent has read its request.`,
  run: measureRest,
};

async function measureRest(options: PartOptions): Promise<Finding[]> {
  await using open = new AsyncDisposableStack();
  const entries = [];
  for (const side of sides) {
    const callee = open.use(await openSide(options.arena, side));
    entries.push({ name: side.name, callee, medians: [] as number[] });
  }
  await inTurns(entries, options, async ({ name, callee, medians }, round) => {
    medians.push(median(await runAtRest(callee, options.signal)));
    options.say(`at rest, round ${round + 1}: ${name} ${medians.at(-1)?.toFixed(1)} ms`);
  });
  const [own = [], ...others] = entries.map(({ medians }) => medians);
  return [
    atMost(1, "creation to end, Signalbox to the best of them, median", "x", ratios(own, bestOf(others, "least"))),
    ...(await measureToAgent(options)),
    ...entries.map(({ name, medians }) => shown(`creation to end, ${name}, median`, "ms", medians)),
  ];
}

async function runAtRest(callee: Callee, signal: AbortSignal): Promise<number[]> {
  await callee.call("openRest");
  try {
    await callee.call("takeLatencies");
    for (let number = 0; number < tasksAtRest; number++) {
      await delay(pauseMs.least + pauseMs.more * Math.random(), undefined, { signal });
      await callee.call("enqueueOne", number);
    }
    await eventually(() => callee.call<boolean>("isIdle"), { what: "the end of the last task at rest" });
    return await callee.call<number[]>("takeLatencies");
  } finally {
    await callee.call("closeRest");
  }
}

async function measureToAgent({ arena, rounds, signal }: PartOptions): Promise<Finding[]> {
  await using orchestrator = await openOrchestrator(arena);
  await orchestrator.offer("echo", arena.agentUrl, 10);
  const medians: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const taken: number[] = [];
    for (let number = 0; number < tasksAtRest; number++) {
      await delay(pauseMs.least + pauseMs.more * Math.random(), undefined, { signal });
      taken.push(await postToAgent(orchestrator));
    }
    medians.push(median(taken));
  }
  return [atMost(15, "creation to agent, median", "ms", medians)];
}

/** Milliseconds until the agent had read the request; clocks of one machine. */
async function postToAgent({ client }: Orchestrator): Promise<number> {
  const sentAt = performance.timeOrigin + performance.now();
  const headers = { ...json, ...asPerson, prefer: "wait=10" };
  const body = JSON.stringify({ type: "echo", payload: { hello: "world" } });
  const answer = await client.request({ method: "POST", path: "/task", headers, body });
  const { status, result } = (await answer.body.json()) as { status: string; result: { readAt: number } };
  if (status !== "completed") throw new Error(`a task at rest is ${status}`);
  return result.readAt - sentAt;
}
