import { type Callee, startCallee } from "@signalbox/testing/calls.ts";
import { atLeast, type Finding, shown } from "../../measure.ts";
import { asPerson } from "../arena.ts";
import { inTurns, type Part, type PartOptions, ratios } from "../part.ts";
import type { Address } from "../programs/stream-clients.ts";

const clients = 100;
const perTick = 20;
/** Events of a round, for those of one a turn; ticks carry twice as many. */
const events = 3_000;
const warmUp = 100;
/** Of an ordinary task's frame, for all sides. */
const frameBytes = 842;

export const fanOut: Part = {
  name: "fan-out",
  about: `
Frames to ${clients} WebSockets, counted where they arrive, in another process. *Bare*: a loop that writes one prepared frame of ${frameBytes}
bytes to every raw socket, one event in each turn of the event loop. *Signalbox*: the orchestrator's own hub, streams and
sockets without a database, from the entry of the ledger on, with its JSON, one event a turn or ${perTick}; both wait for readers
with more than 256 KiB in hand.`,
  run: measureFanOut,
};

type Entry = { name: string; publisher: Callee; receiver: Callee; events: number; perTurn: number; rates: number[] };

async function measureFanOut(options: PartOptions): Promise<Finding[]> {
  await using open = new AsyncDisposableStack();
  const start = async (program: string) => {
    const publisher = open.use(await startCallee({ program }));
    const receiver = open.use(await startCallee({ program: "packages/bench/queue/programs/stream-clients.ts" }));
    const port = await publisher.call<number>("port");
    const address: Address = { port, path: "/ws?types=task", authorization: asPerson.authorization };
    await receiver.call("open", address, clients);
    return { publisher, receiver };
  };
  const bare = await start("packages/bench/queue/programs/bare-sockets.ts");
  const own = await start("services/orchestrator/fan-out.fixture.ts");
  const entries: Entry[] = [
    { name: "bare loop, frame by frame", ...bare, events, perTurn: 1, rates: [] },
    { name: "Signalbox, frame by frame", ...own, events, perTurn: 1, rates: [] },
    { name: `Signalbox, ${perTick} a turn`, ...own, events: 2 * events, perTurn: perTick, rates: [] },
  ];
  for (const entry of entries) await publish(entry, warmUp);
  await inTurns(entries, options, async (entry, round) => {
    entry.rates.push(await publish(entry, entry.events));
    options.say(`fan-out, round ${round + 1}: ${entry.name} ${entry.rates.at(-1)?.toFixed(0)} frames/s`);
  });
  const [plain = [], singly = [], ticks = []] = entries.map(({ rates }) => rates);
  return [
    atLeast(0.9, "frame by frame, Signalbox to bare loop", "x", ratios(singly, plain)),
    atLeast(3, `Signalbox, ${perTick} a turn, to bare loop frame by frame`, "x", ratios(ticks, plain)),
    ...entries.map(({ name, rates }) => shown(`${name}: frames`, "/s", rates)),
  ];
}

/** Frames a second, until the last client has the last one. */
async function publish({ publisher, receiver, perTurn }: Entry, count: number): Promise<number> {
  await publisher.call("prepare", count, frameBytes);
  await receiver.call("expectFrames", count * clients);
  const startedAt = performance.timeOrigin + performance.now();
  await publisher.call("publish", perTurn);
  return (1_000 * count * clients) / ((await receiver.call<number>("framesArrived")) - startedAt);
}
