import { startService } from "@signalbox/testing/service-process.ts";
import { Pool as HttpPool } from "undici";
import { atLeast, shown } from "../../measure.ts";
import { runAtOnce } from "../../run-at-once.ts";
import type { Bed, Part } from "../part.ts";
import { openPastHttp } from "../past-http.ts";
import { postAll } from "../post.ts";
import { makeRecords } from "../records.ts";

const posts = 8_000;
const concurrency = 64;
const warmUp = 2_000;

export const single: Part = {
  name: "single",
  about: `
${posts} posts of one record each, ${concurrency} at once. **One insert a request** is a program with the same HTTP side, check and hiding of
secrets, which inserts each record by itself on up to ten connections; **the service** gathers what comes together.`,
  async run({ bed, rounds, signal, say }) {
    const past = openPastHttp(bed.databaseUrl);
    const { INTERNAL_KEY, DATABASE_URL } = { INTERNAL_KEY: bed.fleet.home.internalKey, DATABASE_URL: bed.databaseUrl };
    const reference = await startService({
      main: "packages/bench/logs/one-insert-main.ts",
      env: { INTERNAL_KEY, DATABASE_URL },
    });
    const plain = new HttpPool(reference.url, { connections: concurrency, pipelining: 1 });
    const taken: { service: number; plain: number }[] = [];
    try {
      for (const http of [bed.logging.http, plain]) await postSingles(bed, http, warmUp);
      for (let round = 1; round <= rounds; round++) {
        signal.throwIfAborted();
        await past.query("truncate logs");
        const isServiceFirst = round % 2 === 1;
        const first = await postSingles(bed, isServiceFirst ? bed.logging.http : plain, posts);
        const second = await postSingles(bed, isServiceFirst ? plain : bed.logging.http, posts);
        const rates = isServiceFirst ? { service: first, plain: second } : { service: second, plain: first };
        taken.push(rates);
        say(
          `single, round ${round} of ${rounds}: service ${rates.service.toFixed(0)}/s, one insert each ${rates.plain.toFixed(0)}/s`,
        );
      }
    } finally {
      await plain.close();
      await reference.stop();
      await past.query("truncate logs");
      await past.close();
    }
    const ratios = taken.map(({ service, plain: alone }) => service / alone);
    return [
      atLeast(1.8, `single records, ${concurrency} at once, to one insert a request`, "x", ratios),
      shown(
        "single records, service",
        "/s",
        taken.map(({ service }) => service),
      ),
      shown(
        "single records, one insert a request",
        "/s",
        taken.map(({ plain: alone }) => alone),
      ),
    ];
  },
};

async function postSingles({ fleet }: Bed, http: HttpPool, count: number): Promise<number> {
  const bodies = makeRecords(count).map((record) => JSON.stringify(record));
  const from = performance.now();
  await runAtOnce(count, concurrency, async (n) => {
    await postAll(http, fleet.home, bodies[n] ?? "", "application/json");
  });
  return count / ((performance.now() - from) / 1_000);
}
