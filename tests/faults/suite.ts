import { closeClients } from "./client.ts";
import { allFaults, shortRounds } from "./faults.ts";
import { type Options, type PlannedRound, planRounds } from "./plan.ts";
import { type RoundRow, toTable } from "./report.ts";
import { Stage } from "./round.ts";
import type { Fault } from "./scene.ts";
import { closeWatchers } from "./watchers.ts";
import { type Violation, World } from "./world.ts";

export type Outcome = { rounds: RoundRow[]; violations: Violation[] };

/** Plays the rounds that the options ask for; the promises that were broken, and how each fault went. */
export async function runSuite(options: Options, say: (line: string) => void): Promise<Outcome> {
  const { seed, orchestrators } = options;
  const faults = pickFaults(options.only);
  say(`seed ${seed}, ${orchestrators} orchestrators`);
  const world = await World.open({ seed, orchestrators, say });
  const stage = new Stage(world);
  const rounds: RoundRow[] = [];
  try {
    for (const round of toRounds(options, faults)) {
      const row = await stage.play(round);
      rounds.push(row);
      if (row.violations > 0) say(`  to play it again: ${replayOf(options, round)}`);
    }
  } finally {
    await stage.close();
    await world.close();
    await Promise.all([closeClients(), closeWatchers()]);
  }
  say(toTable(rounds));
  return { rounds, violations: world.violations };
}

function pickFaults(only: string | null): Fault[] {
  if (only === null) return allFaults;
  const found = allFaults.filter(({ name }) => name === only);
  if (found.length === 0) throw new Error(`there is no fault ${only}; --list names them`);
  return found;
}

function* toRounds(options: Options, faults: readonly Fault[]): Generator<PlannedRound> {
  if (options.isShort) return yield* shortRounds;
  const endAt = performance.now() + options.minutes * 60_000;
  let played = 0;
  for (const round of planRounds(options.seed, faults, options.lap)) {
    const isOver = options.minutes > 0 ? performance.now() > endAt : played >= faults.length;
    if (isOver) return;
    played++;
    yield round;
  }
}

function replayOf({ seed, orchestrators, isShort }: Options, { label, faults }: PlannedRound): string {
  const [fault] = faults;
  const lap = label.split(".").at(-1);
  const which = isShort ? "--short" : `--only ${fault?.name} --lap ${lap}`;
  return `pnpm test:faults --seed ${seed} --orchestrators ${orchestrators} ${which}`;
}
