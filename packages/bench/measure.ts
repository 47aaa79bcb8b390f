/** What is promised; the value itself is still good. */
export type Goal = { kind: "at most" | "at least"; value: number };

/** `x` is a ratio of two figures of the same run. */
export type Unit = "ms" | "s" | "MB" | "/s" | "x" | "points";

/** One line of the table: one value a round, whose median counts. */
export type Finding = {
  what: string;
  unit: Unit;
  /** null: shown beside the goals, so that a reader can judge them */
  goal: Goal | null;
  rounds: readonly number[];
};

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
  /** what each side of each comparison does, in Markdown, for the report */
  about: string;
  run(options: MeasureOptions): Promise<Outcome>;
};
