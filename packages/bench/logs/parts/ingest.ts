import { atLeast, shown } from "../../measure.ts";
import { runAtOnce } from "../../run-at-once.ts";
import type { Bed, Part } from "../part.ts";
import { openPastHttp, type PastHttp } from "../past-http.ts";
import { postAll } from "../post.ts";
import { type BenchRecord, inBatches, makeRecords, toLines } from "../records.ts";

const rows = 40_000;
const batchRows = 500;
const warmUpRows = 10_000;

type Side = (records: readonly BenchRecord[]) => Promise<number>;
type Rates = { service: number; unnest: number; copy: number };

export const ingest: Part = {
  name: "ingest",
  about: `
${rows} records a round, new ones each time, made beforehand as objects; the table is emptied before each side. **The service** is
posted NDJSON in batches of ${batchRows}, the faster of four and eight at once, and does all it does: checks, hides secrets, deduplicates,
answers after the commit, rings the live tail. **unnest** is the same insert from this client with the same batches, the faster of two and four connections. **COPY** is
the fastest of batches of ${batchRows} on two connections and one stream of everything. Turning the objects into bytes is part of every side.`,
  async run({ bed, rounds, signal, say }) {
    const past = openPastHttp(bed.databaseUrl);
    const taken: Rates[] = [];
    try {
      for (const side of sidesOf(bed, past).flat()) await measure(past, side, warmUpRows);
      for (let round = 1; round <= rounds; round++) {
        signal.throwIfAborted();
        const rates = await runRound(bed, past, round);
        taken.push(rates);
        const [service, unnest, copy] = [rates.service, rates.unnest, rates.copy].map((rate) => rate.toFixed(0));
        say(`ingest, round ${round} of ${rounds}: service ${service} rows/s, unnest ${unnest}, COPY ${copy}`);
      }
    } finally {
      await past.query("truncate logs");
      await past.close();
    }
    const ratio = (to: "unnest" | "copy") => taken.map((rates) => rates.service / rates[to]);
    return [
      atLeast(0.6, `NDJSON in batches of ${batchRows}, to the bare unnest`, "x", ratio("unnest")),
      atLeast(0.5, `NDJSON in batches of ${batchRows}, to the best COPY`, "x", ratio("copy")),
      ...(["service", "unnest", "copy"] as const).map((side) =>
        shown(
          `rows, ${side}`,
          "/s",
          taken.map((rates) => rates[side]),
        ),
      ),
    ];
  },
};

/** Of each side its variants, of which the best counts. */
function sidesOf({ logging, fleet }: Bed, past: PastHttp): Side[][] {
  const service =
    (atOnce: number): Side =>
    async (records) => {
      const batches = inBatches(records, batchRows);
      const from = performance.now();
      let accepted = 0;
      await runAtOnce(batches.length, atOnce, async (n) => {
        const taken = await postAll(logging.http, fleet.home, toLines(batches[n] ?? []));
        accepted += taken;
      });
      if (accepted !== records.length) throw new Error(`${accepted} of ${records.length} records were accepted`);
      return (performance.now() - from) / 1_000;
    };
  return [
    [4, 8].map(service),
    [2, 4].map(
      (atOnce): Side =>
        (records) =>
          past.unnest(records, batchRows, atOnce),
    ),
    [(records) => past.copy(records, batchRows, 2), (records) => past.copy(records, records.length, 1)],
  ];
}

async function runRound(bed: Bed, past: PastHttp, round: number): Promise<Rates> {
  const names = ["service", "unnest", "copy"] as const;
  const sides = sidesOf(bed, past).map((variants, at) => ({ name: names[at] ?? "service", variants }));
  const rates: Rates = { service: 0, unnest: 0, copy: 0 };
  // Another one first each time: the disk of the one before may still be busy.
  for (const { name, variants } of [...sides.slice(round % 3), ...sides.slice(0, round % 3)]) {
    for (const variant of variants) rates[name] = Math.max(rates[name], await measure(past, variant, rows));
  }
  return rates;
}

async function measure(past: PastHttp, side: Side, count: number): Promise<number> {
  const records = makeRecords(count);
  await past.query("truncate logs");
  return count / (await side(records));
}
