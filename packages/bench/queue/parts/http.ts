import { type Callee, startCallee } from "@signalbox/testing/calls.ts";
import type { Wanted } from "../../http-clients.ts";
import { atLeast, type Finding, shown } from "../../measure.ts";
import { asPerson, json, openProgram } from "../arena.ts";
import { inTurns, type Part, type PartOptions, ratios } from "../part.ts";

const atOnce = 64;
/** Of the tasks of a round: requests are many times cheaper. */
const most = { plain: 4, stored: 1 };
const warmUpShare = 0.3;
const headers = { ...json, ...asPerson };
const bodies = [JSON.stringify({ type: "echo", payload: { hello: "world", number: 1 } })];

export const http: Part = {
  name: "http",
  about: `
POST of a small JSON body, ${atOnce} connections at once, each side a process of its own and the clients another. *Bare*: \`node:http\` with
Ajv and a comparison of the Basic header. *Kit*: the HTTP side that all services share, with everything that it does for a route:
limits, credentials in constant time, validation, trace, metrics and a log line a request (formatted, not written). *Stored*
inserts a row, by one statement over a pool of ten, before it answers.`,
  run: measureHttp,
};

type Entry = { side: "bare" | "kit"; path: "plain" | "stored"; port: number; rates: number[] };

async function measureHttp(options: PartOptions): Promise<Finding[]> {
  await using open = new AsyncDisposableStack();
  const clients = open.use(await startCallee({ program: "packages/bench/http-clients.ts" }));
  const entries: Entry[] = [];
  for (const side of ["bare", "kit"] as const) {
    const program = `packages/bench/queue/programs/${side}-server.ts`;
    const server = open.use(await openProgram(options.arena, { program, database: "empty" }));
    const port = await server.call<number>("port");
    for (const path of ["plain", "stored"] as const) entries.push({ side, path, port, rates: [] });
  }
  const take = (entry: Entry, share: number) =>
    post(clients, entry, Math.ceil(options.tasks * most[entry.path] * share));
  for (const entry of entries) await take(entry, warmUpShare);
  await inTurns(entries, options, async (entry, round) => {
    entry.rates.push(await take(entry, 1));
    options.say(`http, round ${round + 1}: ${entry.side} ${entry.path} ${entry.rates.at(-1)?.toFixed(0)}/s`);
  });
  return toFindings(entries);
}

async function post(clients: Callee, { port, path }: Entry, count: number): Promise<number> {
  const wanted: Wanted = { port, path: `/${path}`, headers, bodies, count, atOnce, status: 201 };
  return count / (await clients.call<number>("post", wanted));
}

function toFindings(entries: readonly Entry[]): Finding[] {
  const rates = (side: string, path: string) =>
    entries.find((entry) => entry.side === side && entry.path === path)?.rates ?? [];
  const ratio = (path: string) => ratios(rates("kit", path), rates("bare", path));
  return [
    atLeast(0.5, "kit to bare", "x", ratio("plain")),
    atLeast(0.6, "kit to bare, stored", "x", ratio("stored")),
    ...entries.map(({ side, path, rates: own }) => shown(`${side}, ${path}`, "/s", own)),
  ];
}
