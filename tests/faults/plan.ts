import { buildDice } from "@signalbox/testing/dice.ts";
import type { Fault } from "./scene.ts";

/** One round: the faults that are injected in it, and the label that all its throws come from. */
export type PlannedRound = { label: string; faults: readonly Fault[] };

/**
 * Which faults come in which order: all of them once in an order that the seed shuffles, then all again. The label of a round is
 * the fault and its number, so a fault that is played alone meets the same throws as in the long run.
 */
export function* planRounds(seed: number, faults: readonly Fault[], firstLap: number): Generator<PlannedRound> {
  for (let lap = firstLap; ; lap++) {
    for (const fault of buildDice(seed, "order", lap).shuffle(faults))
      yield { label: `${fault.name}.${lap}`, faults: [fault] };
  }
}

export type Options = {
  seed: number;
  orchestrators: number;
  /** Zero: every fault once. */
  minutes: number;
  only: string | null;
  /** Begins with this lap, for a replay of a later one. */
  lap: number;
  isShort: boolean;
};

export class UsageError extends Error {}

const usage =
  "pnpm test:faults [--seed N] [--orchestrators N] [--minutes N] [--only fault] [--lap N] [--short] [--list]";

export function parseOptions(args: readonly string[], randomSeed: number): Options {
  const rest = args.filter((arg) => arg !== "--");
  const options: Options = { seed: randomSeed, orchestrators: 3, minutes: 0, only: null, lap: 1, isShort: false };
  while (rest.length > 0) {
    const name = rest.shift() ?? "";
    if (name === "--short") options.isShort = true;
    else take(options, name, rest.shift());
  }
  return options;
}

function take(options: Options, name: string, value: string | undefined): void {
  if (value === undefined) throw new UsageError(usage);
  if (name === "--only") {
    options.only = value;
    return;
  }
  const number = Number(value);
  const key = /^--(seed|orchestrators|minutes|lap)$/.exec(name)?.[1] as "seed" | "orchestrators" | "minutes" | "lap";
  if (!key || !Number.isFinite(number) || number < 0) throw new UsageError(usage);
  if (key === "orchestrators" && number < 2) throw new UsageError("the suite needs two orchestrators or more");
  options[key] = number;
}
