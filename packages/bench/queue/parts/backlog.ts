import { type Callee, startCallee } from "@signalbox/testing/calls.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { atMost, type Finding, shown } from "../../measure.ts";
import { median } from "../../statistics.ts";
import { type Backlog, endedTasks, fillBacklogs } from "../history.ts";
import { type Part, type PartOptions, ratios } from "../part.ts";

const slots = 50;
const types = ["type-0", "type-1", "type-2"];
const claimsARound = 15;
const warmUp = 10;
/** Of the tasks of a round, which are 5,000 by default: then this is 100,000. */
const many = 20;

type Shape = { name: string; backlogs: Backlog[]; hasHistory?: boolean };

const base: Backlog = { count: 1, priority: 0 };

/** Counts are multiples of the tasks of a round. */
const shapes: readonly Shape[] = [
  { name: "5k without keys and 1M ended", backlogs: [base], hasHistory: true },
  { name: "200k without keys", backlogs: [{ count: 2 * many }] },
  { name: "100k in one key", backlogs: [base, { count: many, keys: 1, priority: 1 }] },
  { name: "100k keys of one", backlogs: [{ count: many, keys: many }] },
  { name: "50 keys of 2k", backlogs: [base, { count: many, keys: 50, priority: 1 }] },
  { name: "100k on top that no agent takes", backlogs: [base, { count: many, priority: 9, isUnroutable: true }] },
  { name: "100k on top, due tomorrow", backlogs: [base, { count: many, priority: 9, isFuture: true }] },
  {
    name: "all of these and 1M ended",
    backlogs: [
      base,
      { count: many, priority: 9, isUnroutable: true },
      { count: many, keys: 1, priority: 1 },
      { count: many / 2, priority: 9, isFuture: true },
    ],
    hasHistory: true,
  },
];

export const backlog: Part = {
  name: "backlog",
  about: `
One claim of ${slots} tasks of three types, taken back each time, on backlogs of several shapes, in turns with the small one of 5,000
tasks without keys: the same statement over the same connection settings. Median of ${claimsARound} claims a round.`,
  run: measureBacklogs,
};

async function measureBacklogs(options: PartOptions): Promise<Finding[]> {
  const { arena, tasks, signal, say } = options;
  await using open = new AsyncDisposableStack();
  const claims = open.use(await startCallee({ program: "services/orchestrator/claims.fixture.ts" }));
  const small = open.use(await freshDatabase(arena.cluster.url));
  await fillBacklogs(small.url, [{ ...base, count: tasks }], options);
  const findings: Finding[] = [];
  const smallMs: number[] = [];
  for (const shape of shapes) {
    signal.throwIfAborted();
    const source = shape.hasHistory ? await endedTasks(arena, 200 * tasks, options) : undefined;
    await using database = await freshDatabase(arena.cluster.url, source);
    await fillBacklogs(
      database.url,
      shape.backlogs.map((one) => scale(one, tasks)),
      options,
    );
    const taken = await compare(claims, { small: small.url, large: database.url }, options);
    smallMs.push(...taken.small);
    findings.push(atMost(2, `claim of ${slots}: ${shape.name}`, "x", ratios(taken.large, taken.small)));
    findings.push(shown(`claim of ${slots}: ${shape.name}`, "ms", taken.large));
    say(
      `a claim of ${slots} with ${shape.name}: ${median(taken.large).toFixed(1)} ms, small ${median(taken.small).toFixed(1)} ms`,
    );
  }
  return [...findings, shown(`claim of ${slots}: 5k without keys`, "ms", smallMs)];
}

function scale(one: Backlog, tasks: number): Backlog {
  // All keys of one task each stay so; a few keys stay as few.
  const keys = one.keys === one.count ? one.count * tasks : one.keys;
  return { ...one, count: Math.ceil(one.count * tasks), keys };
}

async function compare(
  claims: Callee,
  urls: { small: string; large: string },
  { rounds, signal }: PartOptions,
): Promise<{ small: number[]; large: number[] }> {
  const taken = { small: [] as number[], large: [] as number[] };
  const take = async (side: "small" | "large", times: number) =>
    median(await claims.call<number[]>("measureClaims", urls[side], types, { slots, times }));
  for (const side of ["small", "large"] as const) await take(side, warmUp);
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (["small", "large"] as const) : (["large", "small"] as const);
    for (const side of order) {
      signal.throwIfAborted();
      taken[side].push(await take(side, claimsARound));
    }
  }
  return taken;
}
