import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

/** Lines of one service on disk, in two files at the most: when one is full it becomes the older of both. */
export type OutputFile = { add(line: string): void; flush(): void };

const mostBytes = 4_194_304;
const mostWaiting = 1_048_576;
const flushMs = 200;

/** A disk that is full keeps nothing, and holds up nothing. */
export function openOutputFile(folder: string, name: string): OutputFile {
  const path = join(folder, `${name}.log`);
  let waiting = "";
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    if (timer) clearTimeout(timer);
    timer = null;
    const text = waiting;
    waiting = "";
    if (text === "") return;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      if (sizeOf(path) + text.length > mostBytes) renameSync(path, `${path}.1`);
    } catch {
      // There is nothing yet that could be full.
    }
    try {
      appendFileSync(path, text, { mode: 0o600 });
    } catch {
      return;
    }
  }

  return {
    flush,
    add(line) {
      if (waiting.length < mostWaiting) waiting += `${line}\n`;
      timer ??= setTimeout(flush, flushMs).unref();
    },
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
