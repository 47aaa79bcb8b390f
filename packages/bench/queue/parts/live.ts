import { type Callee, startCallee } from "@signalbox/testing/calls.ts";
import { processSeconds } from "../../cpu-time.ts";
import { atLeast, atMost, type Finding, shown } from "../../measure.ts";
import { readResidentMb } from "../../memory.ts";
import { quantile } from "../../statistics.ts";
import { asPerson } from "../arena.ts";
import { type Orchestrator, openOrchestrator } from "../orchestrator.ts";
import type { Part, PartOptions } from "../part.ts";
import type { Address, Received } from "../programs/stream-clients.ts";
import { signalbox } from "../rivals.ts";

const calm = { perSecond: 20, seconds: 4 };
const busy = { perSecond: 2_000, seconds: 4, clients: 100 };
const crowd = { perSecond: 200, seconds: 5, clients: 1_000 };
const stalled = { perSecond: 2_000, seconds: 6, clients: 20 };

export const live: Part = {
  name: "live",
  about: `
A second orchestrator makes tasks at an even rate on the database of the first; the first's real process shows each \`created\` event
to WebSocket clients of another process, which count every frame. *Event to frame*: from the event's own time to its frame
at one client, at ${calm.perSecond} events a second and beside ${busy.clients} clients at ${busy.perSecond}. *Sustained*: events by the time that the last client had
the last of ${busy.seconds} seconds' events. *Never reads*: growth of the process beside ${stalled.clients} clients that stop reading, during ${stalled.seconds} s at
${stalled.perSecond} events a second, by their number. *A thousand clients*: CPU time of the process at ${crowd.perSecond} events a second.`,
  run: measureLive,
};

type Box = { orchestrator: Orchestrator; producer: Callee; receiver: Callee; address: Address };
type Rate = { perSecond: number; seconds: number };

async function measureLive(options: PartOptions): Promise<Finding[]> {
  await using open = new AsyncDisposableStack();
  const orchestrator = open.use(await openOrchestrator(options.arena));
  const env = { DATABASE_URL: orchestrator.databaseUrl };
  const producer = open.use(await startCallee({ program: signalbox.program, env }));
  await producer.call("prepare");
  const receiver = open.use(await startCallee({ program: "packages/bench/queue/programs/stream-clients.ts" }));
  const address = { port: Number(new URL(orchestrator.url).port), path: "/ws?types=task", ...asPerson };
  const box = { orchestrator, producer, receiver, address };
  return [
    ...(await measureLatency(box, options)),
    ...(await measureBusy(box, options)),
    ...(await measureCrowd(box, options)),
    ...(await measureStalled(box, options)),
  ];
}

async function produce({ producer }: Box, { perSecond, seconds }: Rate): Promise<void> {
  await producer.call("produce", perSecond, seconds);
}

async function measureLatency(box: Box, { rounds, signal, say }: PartOptions): Promise<Finding[]> {
  await box.receiver.call("follow", box.address);
  await produce(box, { ...calm, seconds: 1 });
  const taken: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted();
    await box.receiver.call("takeLatencies");
    await box.receiver.call("expectFrames", calm.perSecond * calm.seconds);
    await produce(box, calm);
    await box.receiver.call("framesArrived");
    taken.push(await box.receiver.call<number[]>("takeLatencies"));
    say(`event to frame, round ${round + 1}: median ${quantile(taken.at(-1) ?? [], 0.5).toFixed(1)} ms`);
  }
  const at = (share: number) => taken.map((latencies) => quantile(latencies, share));
  return [
    atMost(50, "event to frame, median", "ms", at(0.5)),
    atMost(250, "event to frame, 99th percentile", "ms", at(0.99)),
  ];
}

/** The one that follows stays, beside a hundred that count. */
async function measureBusy(box: Box, { rounds, signal, say }: PartOptions): Promise<Finding[]> {
  const { receiver, address } = box;
  await receiver.call("open", address, busy.clients - 1);
  const figures: { rate: number; p50: number; p99: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted();
    await receiver.call("takeLatencies");
    const events = busy.perSecond * busy.seconds;
    await receiver.call("expectFrames", events * busy.clients);
    const startedAt = performance.timeOrigin + performance.now();
    await produce(box, busy);
    const rate = (1_000 * events) / ((await receiver.call<number>("framesArrived")) - startedAt);
    const latencies = await receiver.call<number[]>("takeLatencies");
    figures.push({ rate, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) });
    say(`${busy.clients} clients, round ${round + 1}: ${rate.toFixed(0)} of ${busy.perSecond} events/s reached all`);
  }
  const { gaps } = await receiver.call<Received>("received");
  await receiver.call("closeAll");
  const name = `${busy.clients} clients at ${busy.perSecond} events/s`;
  return [
    atLeast(
      0.95 * busy.perSecond,
      `${name}: sustained`,
      "/s",
      figures.map(({ rate }) => rate),
    ),
    atMost(0, `${name}: gaps told`, "gaps", [gaps]),
    shown(
      `${name}: event to frame, median`,
      "ms",
      figures.map(({ p50 }) => p50),
    ),
    shown(
      `${name}: event to frame, 99th percentile`,
      "ms",
      figures.map(({ p99 }) => p99),
    ),
  ];
}

async function measureCrowd(box: Box, { signal, say }: PartOptions): Promise<Finding[]> {
  signal.throwIfAborted();
  const { receiver, address, orchestrator } = box;
  await receiver.call("open", address, crowd.clients);
  await produce(box, { ...crowd, seconds: 1 });
  await receiver.call("expectFrames", crowd.perSecond * crowd.seconds * crowd.clients);
  const before = await processSeconds(orchestrator.pid);
  const startedAt = performance.timeOrigin + performance.now();
  await produce(box, crowd);
  const seconds = ((await receiver.call<number>("framesArrived")) - startedAt) / 1_000;
  const cores = ((await processSeconds(orchestrator.pid)) - before) / seconds;
  await receiver.call("closeAll");
  say(`${crowd.clients} clients: ${cores.toFixed(2)} of a core`);
  const name = `${crowd.clients} clients at ${crowd.perSecond} events/s`;
  return [
    atMost(100, `${name}: CPU of the orchestrator, of one core`, "%", [100 * cores]),
    shown(`${name}: sustained`, "/s", [(crowd.perSecond * crowd.seconds) / seconds]),
  ];
}

async function measureStalled(box: Box, { signal, say }: PartOptions): Promise<Finding[]> {
  signal.throwIfAborted();
  const { receiver, address, orchestrator } = box;
  // With one that reads, so that all of it is read and serialised before and after.
  await receiver.call("open", address, 1);
  await produce(box, stalled);
  const before = await readResidentMb(orchestrator.pid);
  await receiver.call("stall", address, stalled.clients);
  await produce(box, stalled);
  const grown = (await readResidentMb(orchestrator.pid)) - before;
  await receiver.call("closeAll");
  say(`${stalled.clients} clients that never read: ${grown.toFixed(0)} MB`);
  return [atMost(2, "a client that never reads: memory", "MB", [grown / stalled.clients])];
}
