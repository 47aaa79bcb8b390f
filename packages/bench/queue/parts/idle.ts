import { setTimeout as delay } from "node:timers/promises";
import { readCpuTimes, usedBetween } from "../../cpu-time.ts";
import { type Fleet, makeHome, removeHome, startFleet } from "../../fleet-process.ts";
import { atMost, type Finding, shown } from "../../measure.ts";
import { readResidentMb } from "../../memory.ts";
import { query } from "../arena.ts";
import type { Part, PartOptions } from "../part.ts";

const settleMs = 15_000;
const spanMs = 12_000;
const others = new Set(["supervisor", "PostgreSQL", "this client"]);

export const idle: Part = {
  name: "idle",
  about: `
A whole fleet as \`pnpm start\` gives it, with nothing to do, ${settleMs / 1_000} s after its start, over ${spanMs / 1_000} s a round. *Statements*: transactions
that its database counted, of which those of a fleet at rest hold one statement each. *CPU*: time of all of its processes,
supervisor and PostgreSQL included, of one core.`,
  run: measureIdle,
};

async function measureIdle({ rounds, signal, say }: PartOptions): Promise<Finding[]> {
  const home = await makeHome();
  try {
    const fleet = await startFleet({ home, profileDir: null, signal });
    try {
      await delay(settleMs, undefined, { signal });
      const taken: Taken[] = [];
      for (let round = 0; round < rounds; round++) {
        taken.push(await takeSpan(fleet, signal));
        const { statements, cpu } = taken.at(-1) ?? { statements: 0, cpu: {} };
        say(`idle, round ${round + 1}: ${statements.toFixed(1)} statements/s, ${sum(cpu).toFixed(1)} % of a core`);
      }
      return [...toFindings(taken), ...(await measureMemory(fleet))];
    } finally {
      await fleet.stop();
    }
  } finally {
    await removeHome(home);
  }
}

type Taken = { statements: number; cpu: Record<string, number> };

async function takeSpan(fleet: Fleet, signal: AbortSignal): Promise<Taken> {
  const [count, cpu, at] = [await countTransactions(fleet), await readCpuTimes(fleet), performance.now()];
  await delay(spanMs, undefined, { signal });
  const [laterCount, laterCpu] = [await countTransactions(fleet), await readCpuTimes(fleet)];
  const seconds = (performance.now() - at) / 1_000;
  const used = cpu && laterCpu ? usedBetween(cpu, laterCpu) : {};
  const shares = Object.entries(used).filter(([part]) => part !== "this client");
  return {
    // The reading before counts one of its own.
    statements: (laterCount - count - 1) / seconds,
    cpu: Object.fromEntries(shares.map(([part, spent]) => [part, (100 * spent) / seconds])),
  };
}

async function countTransactions({ databaseUrl }: Fleet): Promise<number> {
  const text = "select xact_commit + xact_rollback as count from pg_stat_database where datname = current_database()";
  const [row] = await query<{ count: string }>(databaseUrl, text);
  return Number(row?.count);
}

const sum = (values: Record<string, number>) => Object.values(values).reduce((total, value) => total + value, 0);

function toFindings(taken: readonly Taken[]): Finding[] {
  const parts = Object.keys(taken[0]?.cpu ?? {});
  return [
    atMost(
      6,
      "statements",
      "/s",
      taken.map(({ statements }) => statements),
    ),
    atMost(
      3,
      "CPU of all processes, of one core",
      "%",
      taken.map(({ cpu }) => sum(cpu)),
    ),
    ...parts.map((part) =>
      shown(
        `CPU, ${part}`,
        "%",
        taken.map(({ cpu }) => cpu[part] ?? 0),
      ),
    ),
  ];
}

async function measureMemory({ services }: Fleet): Promise<Finding[]> {
  const read = Object.entries(services).filter(([name]) => !others.has(name));
  return Promise.all(
    read.map(async ([name, { pid }]) => atMost(100, `memory, ${name}`, "MB", [await readResidentMb(pid)])),
  );
}
