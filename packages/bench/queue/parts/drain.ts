import { eventually } from "@signalbox/testing/eventually.ts";
import { atLeast, type Finding, shown } from "../../measure.ts";
import { checkLedger, type Orchestrator, openOrchestrator } from "../orchestrator.ts";
import { bestOf, inTurns, type Part, type PartOptions, ratios } from "../part.ts";
import { dbos, graphileWorker, openSide, pgBoss, type Side, signalbox } from "../rivals.ts";

const warmUpShare = 0.2;
/** Tasks that an agent of Signalbox takes at once here: as many as the others hold at once. */
const maxConcurrency = 400;
const endTimeoutMs = 120_000;

type Entry = { name: string; share: number; run(count: number): Promise<number>; rates: number[] };

const rivals: readonly Side[] = [graphileWorker, pgBoss, dbos];

export const drain: Part = {
  name: "drain",
  about: `
A backlog is worked off, from the start of the first task to the moment when none is open and all records are written. The
work is nothing: each task answers with its payload, in the process that runs it. Signalbox runs it as a library would, with
an agent inside its process; claims, leases, fences, events and live tail are those of a fleet. *The best* is the best of the
three in each round; pg-boss is it by its batches of 200, of which nothing is ended before all of it is done, so that a crash
repeats up to 800 tasks whose work was done. Signalbox and graphile-worker write each end when it comes.`,
  run: (options) => measureDrain(options, null),
};

export const drainHttp: Part = {
  name: "drain-http",
  about: `
The same, and the work of each task is one POST to the same agent, a bare HTTP server in a process of its own, which answers at
once. Signalbox is the orchestrator's real process, from the heartbeat of the agent; the others call the agent over kept
connections, as many as they have tasks in hand.`,
  run: (options) => measureDrain(options, options.arena.agentUrl),
};

async function measureDrain(options: PartOptions, agentUrl: string | null): Promise<Finding[]> {
  const { arena, tasks, say } = options;
  await using open = new AsyncDisposableStack();
  const entries: Entry[] = [];
  const add = async (side: Side) => {
    const callee = open.use(await openSide(arena, side));
    entries.push({
      name: side.name,
      share: side.share ?? 1,
      rates: [],
      run: (count) => callee.call("drain", count, agentUrl),
    });
  };
  const orchestrator = agentUrl === null ? null : open.use(await openOrchestrator(arena));
  if (agentUrl === null || orchestrator === null) await add(signalbox);
  else
    entries.push({
      name: signalbox.name,
      share: 1,
      rates: [],
      run: (count) => drainOrchestrator(orchestrator, count, agentUrl),
    });
  for (const side of rivals) await add(side);
  for (const { run, share } of entries) await run(Math.ceil(tasks * share * warmUpShare));
  await inTurns(entries, options, async ({ name, share, run, rates }, round) => {
    const count = Math.ceil(tasks * share);
    rates.push(count / (await run(count)));
    say(
      `${agentUrl === null ? "drain" : "drain over HTTP"}, round ${round + 1}: ${name} ${rates.at(-1)?.toFixed(0)}/s`,
    );
  });
  if (orchestrator !== null) await checkLedger(orchestrator.databaseUrl);
  return toFindings(entries, agentUrl === null ? 3 : 2);
}

async function drainOrchestrator(orchestrator: Orchestrator, count: number, agentUrl: string): Promise<number> {
  await orchestrator.post(count, 64);
  const startedAt = performance.now();
  await orchestrator.offer("echo", agentUrl, maxConcurrency);
  await eventually(orchestrator.isIdle, { timeoutMs: endTimeoutMs, everyMs: 4, what: `the end of ${count} tasks` });
  const seconds = (performance.now() - startedAt) / 1_000;
  await orchestrator.offer("other", agentUrl, 1);
  return seconds;
}

function toFindings(entries: readonly Entry[], goal: number): Finding[] {
  const rates = (name: string) => entries.find((entry) => entry.name === name)?.rates ?? [];
  const own = rates(signalbox.name);
  const best = bestOf(
    rivals.map(({ name }) => rates(name)),
    "most",
  );
  return [
    atLeast(goal, "Signalbox to the best of them", "x", ratios(own, best)),
    ...rivals.map(({ name }) => shown(`Signalbox to ${name}`, "x", ratios(own, rates(name)))),
    ...entries.map((entry) => shown(entry.name, "/s", entry.rates)),
  ];
}
