import { atLeast, type Finding, shown } from "../../measure.ts";
import { openOrchestrator } from "../orchestrator.ts";
import { inTurns, type Part, type PartOptions, ratios } from "../part.ts";
import { dbos, graphileWorker, openSide, pgBoss, type Side, sides, signalbox } from "../rivals.ts";

const atOnce = 16;
const warmUpShare = 0.2;

type Entry = { name: string; run(count: number): Promise<number>; rates: number[] };

export const enqueue: Part = {
  name: "enqueue",
  about: `
Tasks queued one by one, ${atOnce} at a time; each counts when its task, its record and its event are committed. Signalbox takes
them as a library would, by the handler of \`POST /task\` without HTTP (whole: type, payload, trace, task, event, doorbell, live
tail); over HTTP, with authentication and validation, stands beside. *Alone* is the rival's own call without the record.`,
  run: measureEnqueue,
};

async function measureEnqueue(options: PartOptions): Promise<Finding[]> {
  const { arena, tasks, say } = options;
  await using open = new AsyncDisposableStack();
  const entries: Entry[] = [];
  for (const side of sides) {
    const callee = open.use(await openSide(arena, side));
    const add = (name: string, isBare: boolean) =>
      entries.push({ name, rates: [], run: (count) => callee.call<number>("enqueue", count, atOnce, isBare) });
    add(side.name, false);
    if (side !== signalbox) add(`${side.name}, alone`, true);
  }
  const orchestrator = open.use(await openOrchestrator(arena));
  entries.push({ name: "Signalbox over HTTP", rates: [], run: (count) => orchestrator.post(count, atOnce) });
  for (const { run } of entries) await run(Math.ceil(tasks * warmUpShare));
  await inTurns(entries, options, async ({ name, run, rates }, round) => {
    rates.push(tasks / (await run(tasks)));
    say(`enqueue, round ${round + 1}: ${name} ${rates.at(-1)?.toFixed(0)}/s`);
  });
  return toFindings(entries);
}

function toFindings(entries: readonly Entry[]): Finding[] {
  const rates = (name: string) => entries.find((entry) => entry.name === name)?.rates ?? [];
  const own = rates(signalbox.name);
  const goals: [Side, number][] = [
    [graphileWorker, 3],
    [pgBoss, 3],
    [dbos, 2],
  ];
  return [
    ...goals.map(([{ name }, goal]) => atLeast(goal, `Signalbox to ${name}`, "x", ratios(own, rates(name)))),
    ...entries.map((entry) => shown(entry.name, "/s", entry.rates)),
    ...goals.map(([{ name }]) =>
      shown(`Signalbox over HTTP to ${name}`, "x", ratios(rates("Signalbox over HTTP"), rates(name))),
    ),
  ];
}
