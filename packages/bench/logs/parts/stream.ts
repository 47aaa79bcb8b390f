import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { atMost, shown } from "../../measure.ts";
import { quantile } from "../../statistics.ts";
import type { Bed, Part } from "../part.ts";
import { postAll } from "../post.ts";
import { makeRecords, toLines } from "../records.ts";

const rowsPerSecond = 2_000;
const batchRows = 20;
const seconds = 6;

type Times = { postedAt: number; committedAt: number; seenAt: number };

export const stream: Part = {
  name: "stream",
  about: `
${rowsPerSecond} records a second for ${seconds} s, in batches of ${batchRows}, to one client of \`GET /logs/stream\` in this process. A record counts as
committed when the answer to its POST is here, and as seen when the client has parsed it.`,
  async run({ bed, rounds, signal, say }) {
    const taken: { committed: number[]; posted: number[] }[] = [];
    for (let round = 1; round <= rounds; round++) {
      signal.throwIfAborted();
      const times = await runRound(bed);
      const committed = times.map(({ seenAt, committedAt }) => Math.max(0, seenAt - committedAt));
      taken.push({ committed, posted: times.map(({ seenAt, postedAt }) => seenAt - postedAt) });
      say(
        `stream, round ${round} of ${rounds}: seen ${quantile(committed, 0.95).toFixed(0)} ms after the commit (p95)`,
      );
    }
    const at = (share: number, key: "committed" | "posted") => taken.map((one) => quantile(one[key], share));
    return [
      atMost(250, `committed to seen at ${rowsPerSecond} rows/s, p95`, "ms", at(0.95, "committed")),
      shown("committed to seen, median", "ms", at(0.5, "committed")),
      shown("posted to seen, p95", "ms", at(0.95, "posted")),
    ];
  },
};

async function runRound(bed: Bed): Promise<Times[]> {
  const end = new AbortController();
  const times = new Map<string, Times>();
  const reading = readStream(bed, end.signal, (id) => {
    const known = times.get(id);
    if (known) known.seenAt = performance.now();
  });
  await reading.opened;
  const posts: Promise<unknown>[] = [];
  const from = performance.now();
  for (let n = 0; n < (rowsPerSecond * seconds) / batchRows; n++) {
    await delay(Math.max(0, from + (n * batchRows * 1_000) / rowsPerSecond - performance.now()));
    posts.push(postBatch(bed, times));
  }
  await Promise.all(posts);
  const isSeen = () => [...times.values()].every(({ seenAt }) => seenAt > 0);
  for (let waited = 0; waited < 200 && !isSeen(); waited++) await delay(50);
  end.abort();
  await reading.done;
  if (!isSeen()) throw new Error("the stream did not deliver every record that was committed");
  return [...times.values()];
}

async function postBatch({ logging, fleet }: Bed, times: Map<string, Times>): Promise<void> {
  const records = makeRecords(batchRows);
  const postedAt = performance.now();
  for (const { id } of records) times.set(id, { postedAt, committedAt: 0, seenAt: 0 });
  await postAll(logging.http, fleet.home, toLines(records));
  const committedAt = performance.now();
  for (const { id } of records) Object.assign(times.get(id) ?? {}, { committedAt });
}

function readStream({ logging, fleet }: Bed, signal: AbortSignal, onRecord: (id: string) => void) {
  const opened = Promise.withResolvers<void>();
  const done = (async () => {
    const headers = { "x-internal-key": fleet.home.internalKey };
    const { body } = await request(`${logging.url}/logs/stream`, { headers, signal });
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of body) {
      const blocks = (rest + decoder.decode(chunk as Buffer, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      // The first block says where the stream starts: from then on nothing is missed.
      opened.resolve();
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data !== undefined) onRecord((JSON.parse(data) as { id: string }).id);
      }
    }
  })().catch((error: unknown) => {
    opened.reject(error);
    if (!signal.aborted) throw error;
  });
  return { opened: opened.promise, done };
}
