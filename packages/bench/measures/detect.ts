import { buildNovelty, noveltyThreshold } from "@signalbox/common/detect/novelty.ts";
import { buildOnset } from "@signalbox/common/detect/onset.ts";
import type { Finding, Measure, MeasureOptions, Outcome } from "../measure.ts";
import { readCorpus, type Series } from "../nab/corpus.ts";
import { normalise, type Profile, probationOf, profiles, type Tallied, tallySeries, weigh } from "../nab/score.ts";
import { quantile } from "../statistics.ts";

const weekMs = 7 * 24 * 60 * 60_000;

const about = `
The watcher's detector for series that nobody has described, on labelled series of the Numenta Anomaly Benchmark (not part
of this repository: \`git clone https://github.com/numenta/NAB\` and give the folder, or any folder with its \`data\` and
\`labels\`). It gets the rows in order and speaks about each before it sees the next; there is one threshold for all files,
${noveltyThreshold}, frozen in the source, and nothing is known about any file. Score and threshold were chosen on half of
the corpus' real series; on the other half they were never tried.

The score is the benchmark's: a detection counts by how early it lies in a labelled window, one outside costs 0.11, a
window without any costs 1; 0 is a detector that never speaks, 100 one that is always first and never wrong. The first 15 %
of a file, 750 rows at most, do not count.
`;

export const detect: Measure = {
  name: "detect",
  summary:
    "The detector of anomalies on labelled series (needs a copy of the Numenta Anomaly Benchmark: detect <folder>)",
  about,
  async run(options) {
    if (options.dataFolder === null) {
      options.say("skipped: give the folder of a copy of the Numenta Anomaly Benchmark, pnpm bench detect <folder>");
      return { findings: [], versions: {} };
    }
    const corpus = await readCorpus(options.dataFolder);
    return measureCorpus(corpus, options);
  },
};

type Measured = { series: Series; tallied: Tallied; perPointMs: number[]; weeks: number };

function measureCorpus(corpus: readonly Series[], { say }: MeasureOptions): Outcome {
  const measured = corpus.map((series) => {
    const one = measureSeries(series);
    say(toLine(one));
    return one;
  });
  const rows = corpus.reduce((sum, series) => sum + series.rows.length, 0);
  const windows = corpus.reduce((sum, series) => sum + series.windows.length, 0);
  say(`${corpus.length} series, ${rows} rows, ${windows} windows`);
  return { findings: toFindings(measured), versions: {} };
}

/** Row by row: what is said about a row is settled before the next one is read. */
function measureSeries(series: Series): Measured {
  const [detector, onset] = [buildNovelty(), buildOnset(noveltyThreshold)];
  const [detections, perPointMs]: [number[], number[]] = [[], []];
  series.rows.forEach((point, row) => {
    const startedAt = performance.now();
    if (onset.isOnset(point.at, detector.judge(point))) detections.push(row);
    detector.learn(point);
    perPointMs.push(performance.now() - startedAt);
  });
  const counted = series.rows.slice(probationOf(series.rows.length));
  const weeks = ((counted.at(-1)?.at ?? 0) - (counted[0]?.at ?? 0)) / weekMs;
  return { series, tallied: tallySeries(detections, series.windows, series.rows.length), perPointMs, weeks };
}

function toLine({ series, tallied }: Measured): string {
  const { hits, windows, falseAlarms } = weigh(tallied, profiles.standard);
  return `${series.name.padEnd(56)} found ${hits} of ${windows}, ${falseAlarms} false`;
}

function toFindings(measured: readonly Measured[]): Finding[] {
  const scoreOf = (profile: Profile) =>
    normalise(
      measured.map(({ tallied }) => weigh(tallied, profile)),
      profile,
    );
  const tallies = measured.map(({ tallied }) => weigh(tallied, profiles.standard));
  const [hits, windows, falseAlarms] = (["hits", "windows", "falseAlarms"] as const).map((name) =>
    tallies.reduce((sum, tally) => sum + tally[name], 0),
  ) as [number, number, number];
  const times = measured.flatMap(({ perPointMs }) => perPointMs);
  const weeks = measured.reduce((sum, one) => sum + one.weeks, 0);
  return [
    {
      what: "NAB score, standard",
      unit: "points",
      goal: { kind: "at least", value: 58 },
      rounds: [scoreOf(profiles.standard)],
    },
    {
      what: "a point, 99th percentile",
      unit: "ms",
      goal: { kind: "at most", value: 1 },
      rounds: [quantile(times, 0.99)],
    },
    shown("a point, mean", "ms", times.reduce((sum, one) => sum + one, 0) / times.length),
    shown(`NAB score, ${profiles.lowFalsePositives.name}`, "points", scoreOf(profiles.lowFalsePositives)),
    shown(`NAB score, ${profiles.lowMisses.name}`, "points", scoreOf(profiles.lowMisses)),
    shown("windows found, of all", "x", hits / windows),
    shown("false alarms a week and series", "x", falseAlarms / weeks),
  ];
}

function shown(what: string, unit: Finding["unit"], value: number): Finding {
  return { what, unit, goal: null, rounds: [value] };
}
