import { readFile } from "node:fs/promises";
import { type Callee, startCallee } from "@signalbox/testing/calls.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import type { Wanted } from "../../http-clients.ts";
import { atLeast, shown } from "../../measure.ts";
import type { Bed, Part } from "../part.ts";
import { openPastHttp } from "../past-http.ts";
import { makeRecords } from "../records.ts";

const posts = 8_000;
const atOnce = 64;
const warmUp = 2_000;

export const single: Part = {
  name: "single",
  about: `
${posts} posts of one record each, ${atOnce} at once, by clients of their own process that do as little as they can. **One insert a request** is a program with the same HTTP side, check and hiding of
secrets, which inserts each record by itself on up to ten connections; **the service** gathers what comes together.`,
  async run({ bed, rounds, signal, say }) {
    const past = openPastHttp(bed.databaseUrl);
    const { INTERNAL_KEY, DATABASE_URL } = { INTERNAL_KEY: bed.fleet.home.internalKey, DATABASE_URL: bed.databaseUrl };
    const reference = await startService({
      main: "packages/bench/logs/one-insert-main.ts",
      env: { INTERNAL_KEY, DATABASE_URL },
      flags: await flagsOf(bed.logging.pid),
    });
    const clients = await startCallee({ program: "packages/bench/http-clients.ts" });
    const ports = { service: Number(new URL(bed.logging.url).port), plain: reference.port };
    const take = (side: "service" | "plain", count = posts) => postSingles(clients, ports[side], bed, count);
    const taken: { service: number; plain: number }[] = [];
    try {
      for (const side of ["service", "plain"] as const) await take(side, warmUp);
      for (let round = 1; round <= rounds; round++) {
        signal.throwIfAborted();
        await past.query("truncate logs");
        const rates = { service: 0, plain: 0 };
        const sides = ["service", "plain"] as const;
        for (const side of round % 2 === 1 ? sides : sides.toReversed()) rates[side] = await take(side);
        taken.push(rates);
        say(
          `single, round ${round} of ${rounds}: service ${rates.service.toFixed(0)}/s, one insert each ${rates.plain.toFixed(0)}/s`,
        );
      }
    } finally {
      await clients.stop();
      await reference.stop();
      await past.query("truncate logs");
      await past.close();
    }
    const ratios = taken.map(({ service, plain: alone }) => service / alone);
    return [
      atLeast(1.8, `single records, ${atOnce} at once, to one insert a request`, "x", ratios),
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

/** What Node was started with: the reference runs under the same limits as the service. */
async function flagsOf(pid: number): Promise<string[]> {
  const [, ...rest] = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
  return rest.slice(
    0,
    rest.findIndex((part) => !part.startsWith("--")),
  );
}

/** Records a second. */
async function postSingles(clients: Callee, port: number, { fleet }: Bed, count: number): Promise<number> {
  const wanted: Wanted = {
    port,
    path: "/log",
    headers: { "x-internal-key": fleet.home.internalKey, "content-type": "application/json" },
    bodies: makeRecords(count).map((record) => JSON.stringify(record)),
    count,
    atOnce,
    status: 202,
  };
  return count / (await clients.call<number>("post", wanted));
}
