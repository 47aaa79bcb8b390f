import { type Callee, startCallee } from "@signalbox/testing/calls.ts";
import { Pool } from "undici";
import { atMost, type Finding, shown } from "../../measure.ts";
import { median } from "../../statistics.ts";
import { asPerson, openProgram } from "../arena.ts";
import { endedTasks, fillBacklogs } from "../history.ts";
import { inTurns, type Part, type PartOptions, ratios } from "../part.ts";
import { signalbox } from "../rivals.ts";

const atOnce = 16;
const slots = 50;
const types = ["type-0", "type-1", "type-2"];
const claimsARound = 15;
const listsARound = 10;
/** Enough for full pages of every list; the history is a thousand times as long. */
const shortHistory = 1_000;

const lists: Record<string, string> = {
  "newest tasks": "/tasks?limit=50",
  "failed tasks": "/tasks?limit=50&status=failed",
  "queued tasks": "/tasks?limit=50&status=queued",
  "tasks of a type": "/tasks?limit=50&type=kind-3",
  "tasks of a correlation": "/tasks?limit=50&correlationId=order-7",
};

export const history: Part = {
  name: "history",
  about: `
The same work on two databases in turns: one with a thousand ended tasks, and one with 200 times the tasks of a round (1,000,000
by default) and their three events each. *Enqueue*: as above, ${atOnce} at a time. *Claim*: ${slots} of 5,000 queued tasks of three
types, taken back each time. *Lists*: over HTTP, a page of 50, and the last of ${listsARound} pages in a row. Ratios are of times.`,
  run: measureHistory,
};

type Box = { callee: Callee; databaseUrl: string; client: Pool; deepPath: string };
type Taken = Record<string, number[]>;

async function measureHistory(options: PartOptions): Promise<Finding[]> {
  await using open = new AsyncDisposableStack();
  const claims = open.use(await startCallee({ program: "services/orchestrator/claims.fixture.ts" }));
  const sides = [
    { count: shortHistory, taken: {} as Taken, box: await openBox(options, shortHistory, open) },
    { count: 200 * options.tasks, taken: {} as Taken, box: await openBox(options, 200 * options.tasks, open) },
  ] as const;
  for (const { box } of sides) await takeRound(box, claims, options.tasks, {});
  await inTurns(sides, options, async ({ box, taken, count }, round) => {
    await takeRound(box, claims, options.tasks, taken);
    options.say(`history of ${count}, round ${round + 1}: ${toLine(taken)}`);
  });
  return toFindings(sides[0].taken, sides[1].taken);
}

async function openBox(options: PartOptions, count: number, open: AsyncDisposableStack): Promise<Box> {
  const source = await endedTasks(options.arena, count, options);
  const callee = open.use(await openProgram(options.arena, { ...signalbox, source }));
  await fillBacklogs(callee.databaseUrl, [{ count: options.tasks }], options);
  await callee.call("prepare");
  const client = new Pool(`http://127.0.0.1:${await callee.call<number>("port")}`, { connections: 1 });
  open.defer(() => client.close());
  return { callee, databaseUrl: callee.databaseUrl, client, deepPath: await findDeepPage(client) };
}

/** The path of the last of some pages in a row. */
async function findDeepPage(client: Pool): Promise<string> {
  let path = "/tasks?limit=50&status=completed";
  for (let page = 1; page < listsARound; page++) {
    const { nextCursor } = await readList(client, path);
    path = `/tasks?limit=50&status=completed&cursor=${encodeURIComponent(nextCursor ?? "")}`;
  }
  return path;
}

async function takeRound(box: Box, claims: Callee, tasks: number, taken: Taken): Promise<void> {
  const add = (what: string, ms: number) => {
    taken[what] = [...(taken[what] ?? []), ms];
  };
  const of = { slots, times: claimsARound };
  add("claim", median(await claims.call<number[]>("measureClaims", box.databaseUrl, types, of)));
  for (const [what, path] of [...Object.entries(lists), ["a later page", box.deepPath] as const]) {
    add(`list: ${what}`, await measureList(box.client, path));
  }
  const count = Math.ceil(tasks / 2);
  add("enqueue", ((await box.callee.call<number>("enqueue", count, atOnce)) * 1_000) / count);
}

async function measureList(client: Pool, path: string): Promise<number> {
  const taken: number[] = [];
  for (let time = 0; time < listsARound; time++) {
    const startedAt = performance.now();
    await readList(client, path);
    taken.push(performance.now() - startedAt);
  }
  return median(taken);
}

async function readList(client: Pool, path: string): Promise<{ nextCursor: string | null }> {
  const { statusCode, body } = await client.request({ method: "GET", path, headers: asPerson });
  if (statusCode !== 200) throw new Error(`${path} was answered with ${statusCode}`);
  return (await body.json()) as { nextCursor: string | null };
}

function toLine(taken: Taken): string {
  const last = (what: string) => taken[what]?.at(-1)?.toFixed(2);
  return `enqueue ${last("enqueue")} ms a task, claim ${last("claim")} ms, newest tasks ${last("list: newest tasks")} ms`;
}

function toFindings(short: Taken, long: Taken): Finding[] {
  const whats = Object.keys(long);
  const goalOf = (what: string) => (what.startsWith("list") ? 1.5 : 1.25);
  return [
    ...whats.map((what) =>
      atMost(goalOf(what), `${what}, long to short`, "x", ratios(long[what] ?? [], short[what] ?? [])),
    ),
    ...whats.map((what) => shown(`${what}, long`, "ms", long[what] ?? [])),
  ];
}
