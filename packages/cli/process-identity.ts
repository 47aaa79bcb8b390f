import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Text that another process with the same id would not have; null when no such process runs. Ids are reused, quickly so
 * in containers, where a restarted fleet often gets the very id that its killed predecessor left in a file.
 */
export async function findProcessIdentity(pid: number): Promise<string | null> {
  const fields = await readStat(pid);
  if (fields) {
    const [state, startedAt] = [fields[0], fields[19]];
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
    return state === "Z" || !startedAt ? null : `${boot.trim()}/${startedAt}`;
  }
  return process.platform === "linux" ? null : askPs(pid, "lstart=");
}

/** The process that started this one, or has taken it over since. */
export async function findParent(pid: number): Promise<number | null> {
  const fields = await readStat(pid);
  const text = fields ? fields[1] : process.platform === "linux" ? null : await askPs(pid, "ppid=");
  return text ? Number(text) : null;
}

/** The fields of `/proc/<pid>/stat` from the state on; null where there is no such file. */
async function readStat(pid: number): Promise<string[] | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  // The name in the second field may hold anything, also spaces and brackets; the rest begins after its last bracket.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? null;
}

/** The command line of a running process; null when there is none. */
export async function findCommandLine(pid: number): Promise<string | null> {
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => null);
  if (line !== null) return line.replaceAll("\0", " ").trim() || null;
  return process.platform === "linux" ? null : askPs(pid, "command=");
}

async function askPs(pid: number, field: string): Promise<string | null> {
  const answer = await run("ps", ["-o", field, "-p", String(pid)]).catch(() => null);
  return answer?.stdout.trim() || null;
}
