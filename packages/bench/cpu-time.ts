import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fleet } from "./fleet-process.ts";

/** CPU seconds used so far by each part of the fleet and by this process. */
export type CpuTimes = Record<string, number>;

/** Linux counts in hundredths of a second for programs, whatever the kernel's own tick is. */
const ticksPerSecond = 100;

/** Null where there is no /proc. */
export async function readCpuTimes(fleet: Fleet): Promise<CpuTimes | null> {
  const all = await listProcesses();
  if (all.length === 0) return null;
  const byPid = new Map(all.map((process) => [process.pid, process]));
  const own = process.cpuUsage();
  const postmaster = await findPostmaster(fleet);
  const servers = all.filter(({ pid, parent }) => pid === postmaster || parent === postmaster);
  const services = Object.entries(fleet.services).map(([name, { pid }]) => [name, byPid.get(pid)?.seconds ?? 0]);
  return {
    ...Object.fromEntries(services),
    supervisor: byPid.get(fleet.supervisorPid)?.seconds ?? 0,
    // Of sessions that have ended the postmaster keeps the sum.
    PostgreSQL: servers.reduce((sum, { seconds, endedSeconds }) => sum + seconds + endedSeconds, 0),
    "this client": (own.user + own.system) / 1e6,
  };
}

/** CPU seconds that one process has used; 0 where there is no /proc. */
export async function processSeconds(pid: number): Promise<number> {
  return (await readTimes(String(pid)))?.seconds ?? 0;
}

type ProcessTimes = { pid: number; parent: number; seconds: number; endedSeconds: number };

async function listProcesses(): Promise<ProcessTimes[]> {
  const entries = await readdir("/proc").catch(() => []);
  const found = await Promise.all(entries.filter((name) => /^\d+$/.test(name)).map(readTimes));
  return found.filter((times) => times !== null);
}

async function readTimes(pid: string): Promise<ProcessTimes | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (stat === null) return null;
  // The name in the second field may hold anything; the rest begins after its last bracket with the third.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const at = (field: number) => Number(fields[field - 3]);
  return {
    pid: Number(pid),
    parent: at(4),
    seconds: (at(14) + at(15)) / ticksPerSecond,
    endedSeconds: (at(16) + at(17)) / ticksPerSecond,
  };
}

async function findPostmaster({ home }: Fleet): Promise<number> {
  const text = await readFile(join(home.folder, "postgres", "postmaster.pid"), "utf8").catch(() => "");
  return Number(text.split("\n")[0]);
}

/** What was used between two readings. */
export function usedBetween(before: CpuTimes, after: CpuTimes): CpuTimes {
  return Object.fromEntries(Object.entries(after).map(([part, seconds]) => [part, seconds - (before[part] ?? 0)]));
}
