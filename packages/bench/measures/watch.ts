import { startCluster } from "@signalbox/testing/cluster.ts";
import { prepareTemplate } from "@signalbox/testing/database.ts";
import { monthSeeds, monthSizes } from "@signalbox/testing/posthog-stand-in/month.ts";
import { atLeast, atMost, type Finding, type Measure, type Outcome, shown } from "../measure.ts";
import { median, quantile } from "../statistics.ts";
import { type LivedMonth, liveMonth } from "../watch/live-month.ts";

const weeks = monthSizes.days / 7;

const about = `
The watcher's own process lives through ${monthSizes.days} days of a product that is generated from a seed, an hour at a time, with
${monthSizes.historyWeeks} weeks of history before: 40 monitors that say nothing but which series they watch, daily and weekly
seasons, growth, newsletters, holidays, two releases a day, chance, and blips that mean nothing. Planted are 25 incidents
(${monthSizes.small} moves of 20 to 40 % for at most 6 hours, ${monthSizes.zeros} silences, ${monthSizes.drops} deeper drops,
${monthSizes.surges} surges, a new error), ${monthSizes.lateArrivals} times data that comes hours late, and
${monthSizes.apiFailures} times hours in which PostHog's answers fail, break off or come from its cache. PostHog is the stand-in
of the tests, the database a real one, and only the clock is turned.

Sizes and seeds were fixed before anything was tuned. Tuned was on the seeds ${monthSeeds.tuning.join(" and ")}; the seeds here,
${monthSeeds.judging.join(", ")}, have tuned nothing, and a goal counts for the worst of them. The delay counts buckets: 1 means that the first
bad bucket raised the finding. A finding is explained when its first bad bucket lies in an incident of its own series.
`;

export const watch: Measure = {
  name: "watch",
  summary: "The watcher through a month of 40 series with 25 planted incidents, by three seeds",
  about,
  async run({ say, signal }): Promise<Outcome> {
    await using cluster = await startCluster();
    await prepareTemplate(cluster.url);
    const startedAt = performance.now();
    // Side by side: a month is one process that mostly waits for another.
    const months = await Promise.all(
      seedsOf(process.env.SIGNALBOX_BENCH_SEEDS).map(async (seed) => {
        const month = await liveMonth(seed, cluster.url, signal);
        for (const line of toLines(seed, month)) say(line);
        return month;
      }),
    );
    const seconds = (performance.now() - startedAt) / 1_000;
    return { findings: toFindings(months, seconds), versions: { PostgreSQL: String(cluster.version) } };
  },
};

/** Others than those that judge are for tuning, and say so in the output by their number. */
function seedsOf(text: string | undefined): number[] {
  return text === undefined ? [...monthSeeds.judging] : text.split(",").map(Number);
}

function toLines(seed: number, { judgement, seconds, messages }: LivedMonth): string[] {
  const { found, of, delays, unexplained, duplicates, fromFailures, missed, caused, rightlyNamed } = judgement;
  return [
    `seed ${seed}: found ${found} of ${of}, median delay ${delays.length > 0 ? median(delays) : "-"}, unexplained ${unexplained.length}, twice ${duplicates}, from failures ${fromFailures}, cause named first ${rightlyNamed} of ${caused}, ${messages} messages, ${seconds.toFixed(0)} s`,
    ...missed.map(
      ({ series, kind, factor, from, to }) =>
        `  missed: ${series}, ${kind} to ${factor.toFixed(2)} for ${(to - from) / 3_600_000} h`,
    ),
    ...unexplained.map(({ title, evidence }) => `  unexplained: ${title}, since ${evidence.since}`),
  ];
}

function toFindings(months: readonly LivedMonth[], seconds: number): Finding[] {
  const worst = (pick: (month: LivedMonth) => number, isMore: boolean) => [
    (isMore ? Math.max : Math.min)(...months.map(pick)),
  ];
  const most = (pick: (month: LivedMonth) => number) => worst(pick, true);
  return [
    atLeast(
      23,
      "incidents found, of 25",
      "points",
      worst(({ judgement }) => judgement.found, false),
    ),
    atMost(
      2,
      "delay, median, in buckets",
      "points",
      most(({ judgement }) => median(judgement.delays)),
    ),
    atMost(
      1,
      "unexplained findings a week, all monitors",
      "points",
      most(({ judgement }) => judgement.unexplained.length / weeks),
    ),
    atMost(
      0,
      "findings that are there twice",
      "points",
      most(({ judgement }) => judgement.duplicates),
    ),
    atMost(
      0,
      "findings out of failed queries",
      "points",
      most(({ judgement }) => judgement.fromFailures),
    ),
    atMost(180, "all months together", "s", [seconds]),
    shown(
      "delay, 90th percentile, in buckets",
      "points",
      most(({ judgement }) => quantile(judgement.delays, 0.9)),
    ),
    shown(
      "planted cause named first",
      "%",
      worst(({ judgement: { rightlyNamed, caused } }) => (100 * rightlyNamed) / Math.max(1, caused), false),
    ),
    shown(
      "messages in the month",
      "points",
      most(({ messages }) => messages),
    ),
    shown(
      "requests to PostHog an hour",
      "points",
      most(({ requestsAnHour }) => requestsAnHour),
    ),
  ];
}
