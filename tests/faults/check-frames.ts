import { eventually } from "@signalbox/testing/eventually.ts";
import { judgeFrames } from "./frame-verdict.ts";
import { senderName } from "./log-sender.ts";
import type { Shown, Watcher } from "./watchers.ts";
import type { World } from "./world.ts";

export type FrameCounts = { framesLost: number; gaps: number };

/** Numbers in the ledger and in the log. */
export type Position = { event: number; log: number };

/** What is to be shown to a watcher, in its order. */
type Expected = string[];

const patienceMs = 45_000;

/**
 * I5: each client, over all its connections, was shown exactly what there was between two positions, in order; where a `gap` was
 * told, some may be missing. What it was shown of later ones is kept for the next check.
 */
export async function checkFrames(
  world: World,
  watchers: readonly Watcher[],
  span: { after: Position; upTo: Position },
): Promise<FrameCounts> {
  const counts = { framesLost: 0, gaps: 0 };
  const taken: Taken[] = [];
  for (const watcher of watchers) {
    const expected = await readExpected(world, watcher, span);
    await untilShown(watcher, expected).catch(() => undefined);
    taken.push({ watcher, expected, shown: takeShown(watcher, expected) });
  }
  for (const one of taken) {
    const { missing, wrong, gaps } = judgeFrames(one.shown, one.expected);
    counts.framesLost += missing;
    counts.gaps += gaps;
    if (wrong === null) continue;
    const place = `the ${one.expected.indexOf(wrong) + 1}th of ${one.expected.length}`;
    world.violate("I5", `${aboutOf(one)}: ${missing} frames are missing or out of order, from ${wrong}, ${place}`);
    await tellMissing(world, one, taken);
  }
  return counts;
}

type Taken = { watcher: Watcher; expected: Expected; shown: Shown[] };

function aboutOf({ watcher: { name, wanted, places } }: Taken): string {
  return `${name} (${JSON.stringify(wanted)}, at ${places().join(", ")})`;
}

const mostTold = 20;

/** Where the missing events stand in the ledger, and who was shown them: at that orchestrator, or elsewhere. */
async function tellMissing(world: World, { expected, shown }: Taken, all: readonly Taken[]): Promise<void> {
  const has = (frames: readonly Shown[], what: string) =>
    frames.some((frame) => frame.kind !== "gap" && frame.what === what);
  for (const what of expected.filter((one) => !has(shown, one)).slice(0, mostTold)) {
    const [row] = await world.query<{ line: string }>(
      `select concat_ws(' ', to_char(at, 'HH24:MI:SS.MS'), 'seq', seq, 'xid', xid::text) as line
         from task_events where task_id::text || ' ' || version || ' ' || kind = $1`,
      [what],
    );
    const others = all.filter((one) => has(one.shown, what)).map(aboutOf);
    world.say(`  missing: ${what} ${row?.line ?? ""}; shown to ${others.join("; ") || "nobody"}`);
  }
}

const findShown = ({ shown }: Watcher, wanted: string) =>
  shown.findLastIndex((frame) => frame.kind !== "gap" && frame.what === wanted);

async function untilShown(watcher: Watcher, expected: Expected): Promise<void> {
  const last = expected.at(-1);
  const isThere = () => last === undefined || findShown(watcher, last) >= 0;
  await eventually(isThere, { timeoutMs: patienceMs, everyMs: 50, what: `the last frame of ${watcher.name}` });
}

/** Up to the last one that was expected; all when that one is missing. */
function takeShown(watcher: Watcher, expected: Expected): Shown[] {
  const last = expected.at(-1);
  if (last === undefined) return [];
  const at = findShown(watcher, last);
  return watcher.shown.splice(0, at < 0 ? watcher.shown.length : at + 1);
}

async function readExpected(
  world: World,
  { wanted, from }: Watcher,
  { after, upTo }: { after: Position; upTo: Position },
): Promise<Expected> {
  const begun = from() ?? Number.MAX_SAFE_INTEGER;
  if (wanted.types === "log") {
    const rows = await world.query<{ id: string }>(
      "select id from logs where service = $1 and seq > $2 and seq <= $3 order by seq",
      [wanted.service ?? senderName, Math.max(after.log, begun), upTo.log],
    );
    return rows.map(({ id }) => id);
  }
  const rows = await world.query<{ what: string }>(
    `select e.task_id || ' ' || e.version || ' ' || e.kind as what
       from task_events e join tasks t on t.id = e.task_id
      where e.seq > $1 and e.seq <= $2 and ($3::text is null or t.correlation_id = $3) order by e.seq`,
    [Math.max(after.event, begun), upTo.event, wanted.correlationId ?? null],
  );
  return rows.map(({ what }) => what);
}
