import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { timeOfBackup } from "./retention.ts";

/*
 * The supervisor's own backups. A process of its own writes each, so that what it needs does not stay in the supervisor's memory, and a
 * database that is slow to read stops nothing. When the last one was made is read from the files: a fleet that is started and stopped
 * all day is backed up as often as one that runs.
 */

export type BackupOptions = {
  home: string;
  /** `signalbox.ts` */
  program: string;
  env: Record<string, string>;
  everyHours: number;
  warn(text: string): void;
};

const hourMs = 3_600_000;
/** A start has other things to do. */
const firstPauseMs = 5 * 60_000;
const afterFailureMs = 30 * 60_000;

/** How long until the next one. @param newest when the last one was made, null when there is none */
export function pauseOf(newest: number | null, everyHours: number, now: number): number {
  const dueAt = newest === null ? now : newest + everyHours * hourMs;
  return Math.max(firstPauseMs, dueAt - now);
}

/** @returns what ends it; a backup that is under way is given up, and leaves nothing behind but a part of a file */
export function scheduleBackups(options: BackupOptions): () => void {
  if (options.everyHours === 0) return () => undefined;
  const stopped = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const wait = (ms: number) => {
    if (!stopped.signal.aborted) timer = setTimeout(() => void turn(), ms);
  };
  const turn = async () => {
    const problem = await runBackup(options, stopped.signal);
    if (stopped.signal.aborted) return;
    if (problem !== null) options.warn(`no backup was written: ${problem}; it is tried again in half an hour`);
    wait(problem === null ? pauseOf(Date.now(), options.everyHours, Date.now()) : afterFailureMs);
  };
  findNewest(join(options.home, "backups")).then(
    (newest) => wait(pauseOf(newest, options.everyHours, Date.now())),
    () => wait(firstPauseMs),
  );
  return () => {
    stopped.abort();
    clearTimeout(timer);
  };
}

async function findNewest(folder: string): Promise<number | null> {
  const names = await readdir(folder).catch(() => []);
  const times = names.map(timeOfBackup).filter((at) => at !== null);
  return times.length === 0 ? null : Math.max(...times);
}

/** Null when it was written; else what its process said last. */
function runBackup({ home, program, env }: BackupOptions, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, "backup"], {
      env: { ...env, SIGNALBOX_HOME: home },
      stdio: ["ignore", "ignore", "pipe"],
      signal,
    });
    let said = "";
    child.stderr.on("data", (part) => (said = (said + String(part)).slice(-2_000)));
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => resolve(code === 0 ? null : (said.trim().split("\n").at(-1) ?? `exit code ${code}`)));
  });
}
