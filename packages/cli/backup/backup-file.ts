import { createReadStream, createWriteStream } from "node:fs";
import { chmod, open, rename, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { SetupError } from "@signalbox/testing/setup-error.ts";
import type { DumpLine } from "./dump-format.ts";

/** Writes a backup; under its name it is whole and on the disk, or not there. Only its owner can read it. */
export async function writeDump(path: string, lines: AsyncIterable<DumpLine>): Promise<void> {
  const unfinished = `${path}.${process.pid}.part`;
  try {
    await pipeline(
      Readable.from(toText(lines)),
      createGzip({ level: 6 }),
      createWriteStream(unfinished, { mode: 0o600 }),
    );
    await finish(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Gives a finished file its name. */
export async function finish(unfinished: string, path: string): Promise<void> {
  const file = await open(unfinished, "r+");
  await file.sync();
  await file.close();
  await chmod(unfinished, 0o600);
  await rename(unfinished, path);
}

async function* toText(lines: AsyncIterable<DumpLine>): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}

/** @throws SetupError for a file that is damaged or is none */
export async function* readDump(path: string): AsyncGenerator<DumpLine> {
  const unpacked = createReadStream(path)
    .on("error", (error) => unpacked.destroy(error))
    .pipe(createGunzip());
  try {
    for await (const line of createInterface({ input: unpacked, crlfDelay: Number.POSITIVE_INFINITY })) {
      yield JSON.parse(line) as DumpLine;
    }
    if (unpacked.errored) throw unpacked.errored;
  } catch (error) {
    if (error instanceof SyntaxError || unpacked.errored) throw damaged(path, unpacked.errored ?? error);
    throw error;
  }
}

function damaged(path: string, cause: unknown): SetupError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SetupError(`${path} cannot be read as a backup (${why}); take another one`);
}
