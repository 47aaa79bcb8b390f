import { setTimeout as delay } from "node:timers/promises";
import { atMost, shown } from "../../measure.ts";
import { readResidentMb } from "../../memory.ts";
import type { Bed, Part } from "../part.ts";
import { openPastHttp } from "../past-http.ts";
import { postLogs } from "../post.ts";
import { inBatches, makeRecords, toLines } from "../records.ts";

const batchRows = 500;
const sendersAtRest = 4;
const senders = 120;
const calmSeconds = 4;
const floodSeconds = 15;
const distinct = 40;

type Counts = { accepted: number; offered: number; seconds: number };

export const overload: Part = {
  name: "overload",
  about: `
Resident memory of the logging service, read every 50 ms, while ${senders} senders post NDJSON in batches of ${batchRows} for ${floodSeconds} s, each as fast as it is
answered, and refusals (429) do not slow them down. How much more that is than the service takes stands beside it, against the rate of ${sendersAtRest}
senders just before. Whatever was answered 202 is counted in the table afterwards.`,
  async run({ bed, rounds, signal, say }) {
    const taken: { peakMb: number; restMb: number; factor: number; accepted: number }[] = [];
    const bodies = inBatches(makeRecords(distinct * batchRows), batchRows).map((batch) =>
      // Without ids each post is new, whoever sends it.
      toLines(batch.map(({ id: _id, at: _at, ...record }) => record as (typeof batch)[number])),
    );
    await emptyTable(bed);
    for (let round = 1; round <= rounds; round++) {
      signal.throwIfAborted();
      const restMb = await readResidentMb(bed.logging.pid);
      const calm = await flood(bed, bodies, { senders: sendersAtRest, seconds: calmSeconds });
      const peak = watchMemory(bed.logging.pid);
      const storm = await flood(bed, bodies, { senders, seconds: floodSeconds });
      const peakMb = await peak.stop();
      const factor = storm.offered / storm.seconds / (calm.accepted / calm.seconds);
      taken.push({ peakMb, restMb, factor, accepted: storm.accepted / storm.seconds });
      await checkStored(bed, calm.accepted + storm.accepted);
      await emptyTable(bed);
      say(`overload, round ${round} of ${rounds}: ${peakMb.toFixed(0)} MB at ${factor.toFixed(1)} times what is taken`);
    }
    const all = (key: keyof (typeof taken)[number]) => taken.map((one) => one[key]);
    return [
      atMost(200, "memory of the service under overload, peak", "MB", all("peakMb")),
      shown("memory before", "MB", all("restMb")),
      shown("offered, to what is taken in calm", "x", all("factor")),
      shown("rows accepted under overload", "/s", all("accepted")),
    ];
  },
};

async function flood({ logging, fleet }: Bed, bodies: readonly string[], load: { senders: number; seconds: number }) {
  const counts: Counts = { accepted: 0, offered: 0, seconds: 0 };
  const from = performance.now();
  const until = from + load.seconds * 1_000;
  const send = async (sender: number) => {
    for (let n = sender; performance.now() < until; n++) {
      const { status, accepted } = await postLogs(logging.http, fleet.home, bodies[n % bodies.length] ?? "");
      if (status !== 202 && status !== 429) throw new Error(`logging answered ${status} under overload`);
      counts.offered += batchRows;
      counts.accepted += accepted;
    }
  };
  await Promise.all(Array.from({ length: load.senders }, (_, sender) => send(sender)));
  counts.seconds = (performance.now() - from) / 1_000;
  return counts;
}

function watchMemory(pid: number) {
  let peak = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      peak = Math.max(peak, await readResidentMb(pid));
      await delay(50);
    }
  })();
  return {
    async stop(): Promise<number> {
      isOver = true;
      await watching;
      return peak;
    },
  };
}

async function checkStored({ databaseUrl }: Bed, accepted: number): Promise<void> {
  const past = openPastHttp(databaseUrl);
  try {
    const { rows } = await past.query(
      "select count(*)::integer as stored from logs where message like 'run finished after%'",
    );
    if (rows[0]?.stored !== accepted)
      throw new Error(`${accepted} records were accepted, ${rows[0]?.stored} are stored`);
  } finally {
    await past.close();
  }
}

/** Other parts have left records like these. */
async function emptyTable({ databaseUrl }: Bed): Promise<void> {
  const past = openPastHttp(databaseUrl);
  try {
    await past.query("truncate logs");
  } finally {
    await past.close();
  }
}
