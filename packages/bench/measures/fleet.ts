import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { openBareLoop } from "../bare-loop.ts";
import { type CpuTimes, readCpuTimes, usedBetween } from "../cpu-time.ts";
import { openFleetLoad } from "../fleet-load.ts";
import { type Fleet, type FleetHome, makeHome, removeHome, startFleet } from "../fleet-process.ts";
import { type Finding, type Goal, type Measure, type MeasureOptions, type Outcome, shown } from "../measure.ts";
import { readResidentMb } from "../memory.ts";
import { type Latencies, openLatencyProbe } from "../rest-latency.ts";
import { median, quantile } from "../statistics.ts";

/** Tasks posted, or bare ones run, at once. */
const concurrency = 16;
/** A part of a round under load, before the rounds that count. */
const warmUpShare = 0.2;
const tasksAtRest = 150;
const warmUpAtRest = 30;
/** A process that has just started is still busy with that. */
const settleMs = 3_000;
const megabytes = 120;
const supervisor = "supervisor";

const about = `
**At rest**: ${tasksAtRest} echo tasks a round, one after the other, with pauses of 30 to 80 ms, after ${warmUpAtRest} that do
not count; from the POST to its answer with \`Prefer: wait\`, which comes when the task is completed. That is one request
and one clock; when the frame of the end arrives at another client's \`/ws\` stands beside it, and so does the time
between the two transactions in the database. A figure of a round is its median or its 99th percentile.

**Under load, the fleet**: tasks posted with ${concurrency} requests at once by HTTP Basic, from the first POST to the moment when
none is open any more. Everything is on: each task is validated, stored with its event, claimed under a lease, called with
time-out and trace, ended with its events; all events pass the live tail; all services log to stdout and to the logging
service, which stores the lines. A round counts only when every task is completed and has its three events.

**Under load, the bare loop**: in this process, ${concurrency} at once, on the same PostgreSQL with the same settings: insert a row
and its event (one statement), post the same request to the same echo-agent, update the row and insert the event of the
end (one statement). Nothing else; a crash loses the task. Its tables are plain, with a key each and one more index. The
idle fleet stays up, and echo-agent's log goes its usual way.

Both take turns, the first one changing from round to round; the ratio is of the two halves of each round. CPU time is
of all the processes of that side's half of the round, divided by its tasks.

**Start**: from the start of the process \`packages/cli/start.ts\`, with dependencies installed, to \`fleet.json\`: everything
is healthy and the agents have registered. A first start makes the database and builds the dashboard, a later one finds both.
What \`npx\` and \`pnpm\` need before is not in it. **Memory**: resident, ${settleMs / 1_000} s after a start without any load, and at the end,
${settleMs / 1_000} s after the last round under load.
`;

export const fleet: Measure = {
  name: "fleet",
  summary: "A whole fleet on this machine: a task at rest and under load, its start and its memory",
  about,
  async run(options) {
    const homes: FleetHome[] = [];
    try {
      return await measureFleet(options, async () => {
        const home = await makeHome();
        homes.push(home);
        return home;
      });
    } finally {
      for (const home of homes) await removeHome(home);
    }
  },
};

async function measureFleet(options: MeasureOptions, newHome: () => Promise<FleetHome>): Promise<Outcome> {
  const { findings: starts, lastHome } = await measureStarts(options, newHome);
  const running = await startFleet({ home: lastHome, profileDir: options.profileDir, signal: options.signal });
  try {
    const versions = { PostgreSQL: await readPostgresVersion(running) };
    const rest = await measureRest(running, options);
    const load = await measureLoad(running, options);
    const memory = await readMemory(running);
    const after = Object.entries(memory).map(([name, value]) => shown(`memory after the load, ${name}`, "MB", [value]));
    return { versions, findings: [...rest, ...load.judged, ...starts, ...load.beside, ...after] };
  } finally {
    await running.stop();
  }
}

type Started = { firstSeconds: number; laterSeconds: number; memory: Record<string, number> };

/** Starts each of some new homes twice. */
async function measureStarts({ rounds, signal, say }: MeasureOptions, newHome: () => Promise<FleetHome>) {
  const taken: Started[] = [];
  for (let round = 1; ; round++) {
    const home = await newHome();
    const started = await startTwice(home, signal);
    taken.push(started);
    const [first, later] = [started.firstSeconds, started.laterSeconds].map((seconds) => seconds.toFixed(1));
    say(`start ${round} of ${rounds}: ${first} s with a new database, ${later} s again`);
    if (round === rounds) return { findings: toStartFindings(taken), lastHome: home };
  }
}

async function startTwice(home: FleetHome, signal: AbortSignal): Promise<Started> {
  const first = await startFleet({ home, profileDir: null, signal });
  await first.stop();
  const later = await startFleet({ home, profileDir: null, signal });
  try {
    const memory = await readMemory(later);
    return { firstSeconds: first.startedInMs / 1_000, laterSeconds: later.startedInMs / 1_000, memory };
  } finally {
    await later.stop();
  }
}

function toStartFindings(taken: readonly Started[]): Finding[] {
  const tenSeconds: Goal = { kind: "at most", value: 10 };
  const memoryOf = (name: string) => taken.map(({ memory }) => memory[name] ?? 0);
  const names = Object.keys(taken[0]?.memory ?? {}).filter((name) => name !== supervisor);
  const services = names.map((name): Finding => {
    const goal: Goal = { kind: "at most", value: megabytes };
    return { what: `memory at rest, ${name}`, unit: "MB", goal, rounds: memoryOf(name) };
  });
  return [
    { what: "first start", unit: "s", goal: tenSeconds, rounds: taken.map(({ firstSeconds }) => firstSeconds) },
    { what: "later start", unit: "s", goal: tenSeconds, rounds: taken.map(({ laterSeconds }) => laterSeconds) },
    ...services,
    shown("memory at rest, supervisor", "MB", memoryOf(supervisor)),
  ];
}

async function readMemory(fleet: Fleet): Promise<Record<string, number>> {
  await delay(settleMs);
  const pids = { ...fleet.services, [supervisor]: { pid: fleet.supervisorPid } };
  const read = Object.entries(pids).map(async ([name, { pid }]) => [name, await readResidentMb(pid)] as const);
  return Object.fromEntries(await Promise.all(read));
}

async function readPostgresVersion({ databaseUrl }: Fleet): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>("show server_version");
    return rows[0]?.server_version ?? "unknown";
  } finally {
    await client.end();
  }
}

async function measureRest(fleet: Fleet, { rounds, signal, say }: MeasureOptions): Promise<Finding[]> {
  const probe = await openLatencyProbe(fleet);
  try {
    await probe.run(warmUpAtRest, signal);
    const taken: Latencies[] = [];
    for (let round = 1; round <= rounds; round++) {
      const latencies = await probe.run(tasksAtRest, signal);
      taken.push(latencies);
      const figures = [0.5, 0.99].map((share) => quantile(latencies.answered, share).toFixed(1));
      say(`at rest, round ${round} of ${rounds}: median ${figures[0]} ms, 99th percentile ${figures[1]} ms`);
    }
    const at = (share: number, key: keyof Latencies) => taken.map((one) => quantile(one[key], share));
    return [
      { what: "at rest, median", unit: "ms", goal: { kind: "at most", value: 25 }, rounds: at(0.5, "answered") },
      {
        what: "at rest, 99th percentile",
        unit: "ms",
        goal: { kind: "at most", value: 100 },
        rounds: at(0.99, "answered"),
      },
      shown("at rest, frame of the end, median", "ms", at(0.5, "framed")),
      shown("at rest, frame of the end, 99th percentile", "ms", at(0.99, "framed")),
      shown("at rest, created to finished in the database, median", "ms", at(0.5, "stored")),
    ];
  } finally {
    await probe.close();
  }
}

type Half = { perSecond: number; postedPerSecond: number; cpuMs: CpuTimes };

async function measureLoad(fleet: Fleet, options: MeasureOptions): Promise<{ judged: Finding[]; beside: Finding[] }> {
  const { rounds, tasks, signal, say } = options;
  const load = await openFleetLoad(fleet, concurrency);
  const bare = await openBareLoop(fleet, concurrency);
  const runFleet = (count: number) => load.run(count, concurrency);
  const runBare = async (count: number) => {
    const seconds = await bare.run(count, concurrency);
    return { seconds, postedSeconds: seconds };
  };
  const taken: { fleet: Half; bare: Half }[] = [];
  try {
    for (const run of [runFleet, runBare]) await run(Math.ceil(tasks * warmUpShare));
    for (let round = 1; round <= rounds; round++) {
      signal.throwIfAborted();
      const isFleetFirst = round % 2 === 1;
      const early = isFleetFirst ? await runHalf(fleet, tasks, runFleet) : await runHalf(fleet, tasks, runBare);
      const late = isFleetFirst ? await runHalf(fleet, tasks, runBare) : await runHalf(fleet, tasks, runFleet);
      const halves = isFleetFirst ? { fleet: early, bare: late } : { fleet: late, bare: early };
      taken.push(halves);
      const rates = [halves.fleet, halves.bare].map(({ perSecond }) => perSecond.toFixed(0));
      say(`under load, round ${round} of ${rounds}: fleet ${rates[0]}/s, bare loop ${rates[1]}/s`);
    }
  } finally {
    await Promise.all([load.close(), bare.close()]);
  }
  return toLoadFindings(taken, tasks);
}

/** One side's half of a round, after a moment in which the other side's last log lines are stored. */
async function runHalf(
  fleet: Fleet,
  tasks: number,
  run: (count: number) => Promise<{ seconds: number; postedSeconds: number }>,
): Promise<Half> {
  await delay(1_000);
  const before = await readCpuTimes(fleet);
  const { seconds, postedSeconds } = await run(tasks);
  const after = await readCpuTimes(fleet);
  const used = before && after ? Object.entries(usedBetween(before, after)) : [];
  const cpuMs = Object.fromEntries(used.map(([part, spent]) => [part, (1_000 * spent) / tasks]));
  return { perSecond: tasks / seconds, postedPerSecond: tasks / postedSeconds, cpuMs };
}

function toLoadFindings(taken: readonly { fleet: Half; bare: Half }[], tasks: number) {
  const ratios = taken.map(({ fleet, bare }) => fleet.perSecond / bare.perSecond);
  const cpu = (side: "fleet" | "bare", label: string) =>
    Object.keys(taken[0]?.[side].cpuMs ?? {})
      .map((part) =>
        shown(
          `CPU a task, ${label}, ${part}`,
          "ms",
          taken.map((one) => one[side].cpuMs[part] ?? 0),
        ),
      )
      .filter(({ rounds }) => median(rounds) > 0.005);
  const judged: Finding[] = [
    { what: `${tasks} tasks, fleet to bare loop`, unit: "x", goal: { kind: "at least", value: 0.5 }, rounds: ratios },
  ];
  const beside = [
    shown(
      `${tasks} tasks, fleet`,
      "/s",
      taken.map(({ fleet }) => fleet.perSecond),
    ),
    shown(
      `${tasks} tasks, fleet, posts alone`,
      "/s",
      taken.map(({ fleet }) => fleet.postedPerSecond),
    ),
    shown(
      `${tasks} tasks, bare loop`,
      "/s",
      taken.map(({ bare }) => bare.perSecond),
    ),
    ...cpu("fleet", "fleet"),
    ...cpu("bare", "bare loop"),
  ];
  return { judged, beside };
}
