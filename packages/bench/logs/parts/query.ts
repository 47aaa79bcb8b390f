import { atMost, shown } from "../../measure.ts";
import { median } from "../../statistics.ts";
import { basicOf } from "../../task-client.ts";
import type { Bed, Part } from "../part.ts";
import { openPastHttp, type PastHttp } from "../past-http.ts";

const rows = 5_000_000;
const chunk = 250_000;
const days = 5;
const services = 12;
const asked = 40;

export const query: Part = {
  name: "query",
  about: `
${rows} records over ${days} days, of ${services} services with very different shares (the first writes every second record, the last one in 4,096); 2 % are errors,
but the second service never has one and the third has one in 5,000. \`GET /logs?service=…&level=error&limit=100\` by HTTP Basic, ${asked} times a round, services
in turn; a round's figure is its median. The search is for a text that no record has, over all of them, as far as it comes in its time.`,
  async run({ bed, rounds, signal, say }) {
    const past = openPastHttp(bed.databaseUrl);
    const taken: { newest: number; worst: number; search: number; byTrace: number }[] = [];
    try {
      await fill(past, signal, say);
      for (let round = 1; round <= rounds; round++) {
        signal.throwIfAborted();
        const times: number[] = [];
        for (let n = 0; n < asked; n++)
          times.push(await ask(bed, `service=service-${n % services}&level=error&limit=100`));
        const search = await ask(bed, "q=no%20record%20says%20this");
        const byTrace = await ask(bed, `traceId=${"0".repeat(25)}1000000`);
        taken.push({ newest: median(times), worst: Math.max(...times), search, byTrace });
        say(
          `query, round ${round} of ${rounds}: ${median(times).toFixed(1)} ms, worst ${Math.max(...times).toFixed(0)} ms`,
        );
      }
    } finally {
      await past.query("truncate logs");
      await past.close();
    }
    const all = (key: keyof (typeof taken)[number]) => taken.map((one) => one[key]);
    return [
      atMost(20, `newest 100 by service and level of ${rows} rows, median`, "ms", all("newest")),
      shown("newest 100 by service and level, worst service", "ms", all("worst")),
      shown("one record by its trace id", "ms", all("byTrace")),
      shown("a text that is nowhere, until the answer says how far it came", "ms", all("search")),
    ];
  },
};

/** In the database itself: what is measured is reading. */
async function fill(past: PastHttp, signal: AbortSignal, say: (line: string) => void): Promise<void> {
  await past.query(`select ensure_log_partitions(${days}, 0)`);
  for (let from = 0; from < rows; from += chunk) {
    signal.throwIfAborted();
    await past.query(
      `insert into logs (id, at, level, service, message, trace_id, task_id, data)
       select gen_random_uuid(), now() - (${rows} - n) * interval '${days * 86_400} s' / ${rows},
              case when s = 1 then 2 when s = 2 then case when n % 5000 = 0 then 4 else 2 end when n % 50 < 1 then 4 else 2 end,
              'service-' || s, 'run finished after ' || n || ' ms with all that was asked of it', lpad(n::text, 32, '0'),
              case when n % 3 = 0 then null else gen_random_uuid() end, jsonb_build_object('n', n, 'outcome', 'completed')
         from (select n, least(${services - 1}, floor(-ln(1 - random()) / ln(2)))::integer as s
                 from generate_series(${from}::bigint, ${from + chunk - 1}) n) rows`,
    );
    if ((from / chunk) % 4 === 3) say(`query: ${from + chunk} of ${rows} records are there`);
  }
  await past.query("analyze logs");
}

async function ask({ logging, fleet }: Bed, search: string): Promise<number> {
  const from = performance.now();
  const headers = { authorization: basicOf(fleet.home) };
  const { statusCode, body } = await logging.http.request({ method: "GET", path: `/logs?${search}`, headers });
  await body.json();
  if (statusCode !== 200) throw new Error(`GET /logs?${search} answered ${statusCode}`);
  return performance.now() - from;
}
