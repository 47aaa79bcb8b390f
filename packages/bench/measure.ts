/** What is promised; the value itself is still good. */
export type Goal = { kind: "at most" | "at least"; value: number };

/** `x` is a ratio of two figures of the same run. */
export type Unit =
  | "ms"
  | "s"
  | "MB"
  | "/s"
  | "x"
  | "%"
  | "gaps"
  | "points"
  | "fps"
  | "KB"
  | "px"
  | "elements"
  | "frames";

/** One line of the table: one value a round, whose median counts. */
export type Finding = {
  what: string;
  unit: Unit;
  /** null: shown beside the goals, so that a reader can judge them */
  goal: Goal | null;
  rounds: readonly number[];
  /** the table that it stands in; left out where a measure has one only */
  part?: string;
};

/** A figure without a goal. */
export function shown(what: string, unit: Unit, rounds: readonly number[]): Finding {
  return { what, unit, goal: null, rounds };
}

export function atLeast(value: number, what: string, unit: Unit, rounds: readonly number[]): Finding {
  return { what, unit, goal: { kind: "at least", value }, rounds };
}

export function atMost(value: number, what: string, unit: Unit, rounds: readonly number[]): Finding {
  return { what, unit, goal: { kind: "at most", value }, rounds };
}

export type Outcome = {
  findings: Finding[];
  /** What was measured besides Node and Signalbox, such as the database's version. */
  versions: Record<string, string>;
};

export type MeasureOptions = {
  /** how often each figure is taken */
  rounds: number;
  /** tasks of one round under load */
  tasks: number;
  /** where every process leaves its CPU profile; null: no profiles, which cost time themselves */
  profileDir: string | null;
  /** the parts to take, by name; null: all of them */
  only: readonly string[] | null;
  /** whether a measure that has a longer form takes it; the others do not care */
  isLong: boolean;
  /** where the labelled series of `detect` lie; null: it is skipped */
  dataFolder: string | null;
  /** progress, for who waits */
  say(line: string): void;
  /** aborted when the benchmark shall end early; whatever was started is stopped then */
  signal: AbortSignal;
};

/** One subject of the benchmark: a file in `measures/`, listed in `main.ts`. */
export type Measure = {
  name: string;
  /** one line for `--help` */
  summary: string;
  /** names of the parts that can be taken alone; left out when it is all of one piece */
  parts?: readonly string[];
  /** what each side of each comparison does, in Markdown, for the report */
  about: string;
  run(options: MeasureOptions): Promise<Outcome>;
};
