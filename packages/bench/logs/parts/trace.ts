import { setTimeout as delay } from "node:timers/promises";
import { newTrace } from "@signalbox/common/trace.ts";
import { Pool as HttpPool } from "undici";
import { serviceOf } from "../../fleet-process.ts";
import { atMost, shown } from "../../measure.ts";
import { runAtOnce } from "../../run-at-once.ts";
import { median } from "../../statistics.ts";
import { basicOf } from "../../task-client.ts";
import type { Bed, Part } from "../part.ts";
import { postAll } from "../post.ts";
import { makeRecords, toLines } from "../records.ts";

const tasks = 100;
const entries = 1_000;
const asked = 20;

type Tree = { tasks: { task: { status: string }; logs: unknown[] }[]; timeline: unknown[] };

export const trace: Part = {
  name: "trace",
  about: `
\`GET /trace/:traceId\` of a trace with ${tasks} echo tasks, their events and log records, ${entries} entries in all: from the request to the parsed answer, ${asked} times a round; a
round's figure is its median.`,
  async run({ bed, rounds, signal, say }) {
    const { fleet } = bed;
    const http = new HttpPool(serviceOf(fleet, "orchestrator").url, { connections: 16, pipelining: 1 });
    const { traceId } = newTrace();
    const headers = { authorization: basicOf(fleet.home), "content-type": "application/json" };
    const get = async () => {
      const { statusCode, body } = await http.request({ method: "GET", path: `/trace/${traceId}`, headers });
      if (statusCode !== 200) throw new Error(`GET /trace answered ${statusCode}`);
      return (await body.json()) as Tree;
    };
    const taken: number[][] = [];
    let size = 0;
    try {
      await runAtOnce(tasks, 16, async (n) => {
        const body = JSON.stringify({ type: "echo", payload: { n }, traceId });
        await (await http.request({ method: "POST", path: "/task", headers, body })).body.dump();
      });
      size = await fillUp(bed, traceId, get);
      for (let round = 1; round <= rounds; round++) {
        signal.throwIfAborted();
        const times: number[] = [];
        for (let n = 0; n < asked; n++) {
          const from = performance.now();
          await get();
          times.push(performance.now() - from);
        }
        taken.push(times);
        say(`trace, round ${round} of ${rounds}: ${size} entries in ${median(times).toFixed(1)} ms`);
      }
    } finally {
      await http.close();
    }
    return [
      atMost(100, `a trace of ${size} entries, median`, "ms", taken.map(median)),
      shown(
        "the same, worst",
        "ms",
        taken.map((times) => Math.max(...times)),
      ),
    ];
  },
};

/** Waits for the tasks' own records, then adds what is missing. */
async function fillUp({ logging, fleet }: Bed, traceId: string, get: () => Promise<Tree>): Promise<number> {
  for (let waited = 0; waited < 100; waited++) {
    const { tasks: made } = await get();
    if (made.length === tasks && made.every(({ task, logs }) => task.status === "completed" && logs.length > 0)) break;
    await delay(100);
  }
  const missing = entries - (await get()).timeline.length;
  if (missing > 0) {
    const records = makeRecords(missing).map((record) => ({ ...record, traceId, taskId: null }));
    await postAll(logging.http, fleet.home, toLines(records));
  }
  return (await get()).timeline.length;
}
