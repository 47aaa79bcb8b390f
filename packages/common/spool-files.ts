import { readdir, readFile } from "node:fs/promises";

/** `<service>.<start of its process>.<pid>.<number>.ndjson` */
export type SegmentName = { service: string; startedAt: number; pid: number; number: number };

export function toFileName({ service, startedAt, pid, number }: SegmentName): string {
  return `${service}.${startedAt}.${pid}.${String(number).padStart(6, "0")}.ndjson`;
}

function parseFileName(file: string): SegmentName | null {
  const match = /^(.+)\.(\d{1,15})\.(\d{1,10})\.(\d{6,12})\.ndjson$/.exec(file);
  if (!match) return null;
  const [, service = "", startedAt, pid, number] = match;
  return { service, startedAt: Number(startedAt), pid: Number(pid), number: Number(number) };
}

/** Starts of the spools of this process: several services may live in one. */
const liveStarts = new Set<number>();

/** A start that no other spool of this process has. */
export function claimStart(wanted: number): number {
  let start = wanted;
  while (liveStarts.has(start)) start++;
  liveStarts.add(start);
  return start;
}

export function releaseStart(start: number): void {
  liveStarts.delete(start);
}

/** Segments of dead processes of this service, oldest first. */
export async function findLeftovers(dir: string, service: string): Promise<string[]> {
  const files = await readdir(dir).catch(() => []);
  return files
    .map((file) => ({ file, name: parseFileName(file) }))
    .filter(({ name }) => name !== null && name.service === service && !isOwnerAlive(name))
    .sort((a, b) => compare(a.name, b.name))
    .map(({ file }) => file);
}

function compare(a: SegmentName | null, b: SegmentName | null): number {
  if (!a || !b) return 0;
  return a.startedAt - b.startedAt || a.number - b.number;
}

/** A pid may have been given again: in a container every start has the same one, so our own counts as dead unless we know it. */
function isOwnerAlive({ pid, startedAt }: SegmentName): boolean {
  if (pid === process.pid) return liveStarts.has(startedAt);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, but another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Whole lines only: what stands after the last newline was torn by a crash or a full disk. */
export async function readLines(path: string): Promise<string[]> {
  const lines = (await readFile(path, "utf8")).split("\n");
  lines.pop();
  return lines;
}

/** As many of the first lines as fit into the bytes. */
export function fitLines(lines: readonly string[], bytes: number): readonly string[] {
  let sum = 0;
  const end = lines.findIndex((line) => {
    sum += Buffer.byteLength(line) + 1;
    return sum > bytes;
  });
  return end === -1 ? lines : lines.slice(0, end);
}
