import { buildDice, type Dice } from "../dice.ts";

/*
 * A month of a product, planned from a seed: what is measured, how busy it is, when the days are special, what is released
 * when, and which incidents are planted where, so that whoever watches it can be judged. Its sizes were fixed before anything
 * was tuned by it; the seeds that judge are never used for tuning.
 */

export const monthSeeds = { tuning: [1, 2], judging: [11, 12, 13] } as const;

export const monthSizes = {
  historyWeeks: 8,
  days: 30,
  counts: 34,
  funnels: 4,
  errorTrackers: 2,
  /** moves of 20 to 40 % for 2 to 6 hours */
  small: 9,
  zeros: 6,
  /** down by 50 to 90 % for 3 to 12 hours */
  drops: 5,
  /** up to 1.6 to 3 times for 2 to 8 hours */
  surges: 4,
  /** an error that nobody has seen before */
  errors: 1,
  lateArrivals: 2,
  apiFailures: 8,
  holidays: 2,
} as const;

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
/** A Monday; the watched days begin here, and the history lies before. */
export const monthStartsAt = Date.parse("2026-09-07T00:00:00Z");
export const monthEndsAt = monthStartsAt + monthSizes.days * dayMs;
export const historyStartsAt = monthStartsAt - monthSizes.historyWeeks * 7 * dayMs;

export type SeriesPlan = {
  /** the monitor's name, and for a count its event's */
  name: string;
  kind: "count" | "funnel" | "errors";
  /** events an hour, in the mean over a week at the beginning */
  volume: number;
  /** the second step's share of the first; of a funnel only */
  conversion: number;
  /** how much of the day is wave, and when it is highest */
  wave: number;
  peakHour: number;
  /** what a Saturday and a Sunday have of a weekday */
  weekend: number;
  growthAWeek: number;
  /** an hour of the week in which a newsletter goes out; null: none does */
  newsletterHour: number | null;
};

export type Incident = {
  series: string;
  kind: "small" | "zero" | "drop" | "surge" | "error";
  from: number;
  to: number;
  /** what is left of the usual */
  factor: number;
  cause: { kind: "deploy" | "flag"; name: string; at: number } | null;
};

export type MonthPlan = {
  seed: number;
  series: SeriesPlan[];
  incidents: Incident[];
  /** days such as 2026-09-14, on which much less happens, and which everybody knows before */
  holidays: string[];
  deploys: { name: string; at: number }[];
  flags: { name: string; at: number }[];
  /** everything that happens between arrives so much later */
  lateArrivals: { from: number; to: number; delayMs: number }[];
  /** the watcher's queries go wrong in this way */
  apiFailures: { from: number; to: number; kind: "status" | "truncated" | "error_in_200" | "cached"; status: number }[];
};

export function planMonth(seed: number): MonthPlan {
  const dice = buildDice("month", seed);
  const series = planSeries(dice);
  const holidays = pickDays(dice, monthSizes.holidays);
  const busy = holidays.map((day) => ({ from: Date.parse(day) - 6 * hourMs, to: Date.parse(day) + 30 * hourMs }));
  const lateArrivals = pickSpans(dice, { count: monthSizes.lateArrivals, hours: [2, 3], busy }).map((span) => ({
    ...span,
    delayMs: 2 * hourMs,
  }));
  const kinds = ["status", "status", "truncated", "error_in_200", "cached"] as const;
  const apiFailures = pickSpans(dice, {
    count: monthSizes.apiFailures,
    hours: [1, 4],
    busy: [...busy, ...lateArrivals],
  }).map((span) => ({ ...span, kind: dice.pick(kinds), status: dice.pick([429, 500, 502]) }));
  const deploys = planDeploys(dice);
  const around = [...busy, ...lateArrivals, ...apiFailures].map(({ from, to }) => ({
    from: from - 6 * hourMs,
    to: to + 6 * hourMs,
  }));
  const incidents = planIncidents(dice, series, around);
  const caused = incidents.flatMap(({ cause }) => (cause ? [cause] : []));
  return {
    ...{ seed, series, incidents, holidays, lateArrivals, apiFailures },
    deploys: [...deploys, ...caused.filter(({ kind }) => kind === "deploy")].sort((a, b) => a.at - b.at),
    flags: caused.filter(({ kind }) => kind === "flag"),
  };
}

const things = [
  "order",
  "cart",
  "page",
  "report",
  "invite",
  "search",
  "comment",
  "file",
  "invoice",
  "session",
  "signup",
  "export",
];
const deeds = ["created", "viewed", "shared", "opened", "sent"];

function planSeries(dice: Dice): SeriesPlan[] {
  const names = dice.shuffle(things.flatMap((thing) => deeds.map((deed) => `${thing}_${deed}`)));
  const { counts, funnels, errorTrackers } = monthSizes;
  const kinds = [
    ...Array.from({ length: counts }, () => "count" as const),
    ...Array.from({ length: funnels }, () => "funnel" as const),
    ...Array.from({ length: errorTrackers }, () => "errors" as const),
  ];
  return kinds.map((kind, index) => ({
    name: names[index] ?? `series_${index}`,
    kind,
    // From 200 to 20 000 an hour, as many small ones as big ones; errors are rarer.
    volume: kind === "errors" ? dice.between(5, 20) : Math.round(200 * 100 ** dice()),
    conversion: 0.1 + 0.4 * dice(),
    wave: 0.3 + 0.5 * dice(),
    peakHour: dice.between(11, 20),
    weekend: 0.5 + 0.6 * dice(),
    growthAWeek: -0.01 + 0.03 * dice(),
    newsletterHour: dice.percent(20) ? dice.between(0, 167) : null,
  }));
}

/** The expected events of an hour, without chance. */
export function expectedOf(series: SeriesPlan, at: number): number {
  const hour = (at % dayMs) / hourMs;
  const weekday = new Date(at).getUTCDay();
  const day = weekday === 0 || weekday === 6 ? series.weekend : 1;
  const wave = 1 + series.wave * Math.cos((2 * Math.PI * (hour - series.peakHour)) / 24);
  const weeks = (at - historyStartsAt) / (7 * dayMs);
  return series.volume * day * wave * (1 + series.growthAWeek) ** weeks;
}

function pickDays(dice: Dice, count: number): string[] {
  const days = dice.shuffle(Array.from({ length: monthSizes.days - 4 }, (_, index) => index + 2)).slice(0, count);
  return days.map((day) => new Date(monthStartsAt + day * dayMs).toISOString().slice(0, 10)).sort();
}

type Span = { from: number; to: number };

function pickSpans(
  dice: Dice,
  { count, hours, busy }: { count: number; hours: [number, number]; busy: readonly Span[] },
): Span[] {
  const found: Span[] = [];
  while (found.length < count) {
    const from = monthStartsAt + dice.between(24, monthSizes.days * 24 - 24) * hourMs;
    const span = { from, to: from + dice.between(...hours) * hourMs };
    if (![...busy, ...found].some((one) => overlaps(one, span, 12 * hourMs))) found.push(span);
  }
  return found;
}

function overlaps(a: Span, b: Span, marginMs: number): boolean {
  return a.from < b.to + marginMs && b.from < a.to + marginMs;
}

/** Two a day, most of which change nothing that is measured. */
function planDeploys(dice: Dice): { name: string; at: number }[] {
  return Array.from({ length: 2 * monthSizes.days }, () => ({
    name: `${dice.pick(["api", "web", "worker"])} ${dice.between(0x100000, 0xffffff).toString(16)}`,
    at: monthStartsAt + Math.floor(dice() * monthSizes.days * dayMs),
  }));
}

type Wanted = {
  kind: Incident["kind"];
  series: readonly SeriesPlan[];
  hours: [number, number];
  factors: () => number;
  least: number;
};

function planIncidents(dice: Dice, series: readonly SeriesPlan[], busy: readonly Span[]): Incident[] {
  const of = (...kinds: SeriesPlan["kind"][]) => series.filter(({ kind }) => kinds.includes(kind));
  const sign = () => (dice.percent(70) ? -1 : 1);
  const wanted: [number, Wanted][] = [
    // What a person could not see in the noise of a few events is no incident: a least number of events an hour is expected.
    [
      monthSizes.small,
      {
        kind: "small",
        series: of("count"),
        hours: [2, 6],
        factors: () => 1 + sign() * (0.2 + 0.2 * dice()),
        least: 400,
      },
    ],
    [monthSizes.zeros, { kind: "zero", series: of("count", "funnel"), hours: [1, 6], factors: () => 0, least: 50 }],
    [
      monthSizes.drops,
      { kind: "drop", series: of("count", "funnel"), hours: [3, 12], factors: () => 0.1 + 0.4 * dice(), least: 100 },
    ],
    [
      monthSizes.surges,
      { kind: "surge", series: of("count"), hours: [2, 8], factors: () => 1.6 + 1.4 * dice(), least: 50 },
    ],
    [monthSizes.errors, { kind: "error", series: of("errors"), hours: [4, 12], factors: () => 1, least: 0 }],
  ];
  const found: Incident[] = [];
  for (const [count, one] of wanted) {
    for (let index = 0; index < count; index++) found.push(planIncident(dice, one, { found, busy }));
  }
  return found.sort((a, b) => a.from - b.from);
}

function planIncident(
  dice: Dice,
  wanted: Wanted,
  { found, busy }: { found: readonly Incident[]; busy: readonly Span[] },
): Incident {
  for (;;) {
    const series = dice.pick(wanted.series);
    const from = monthStartsAt + dice.between(48, monthSizes.days * 24 - 24) * hourMs;
    const span = { from, to: from + dice.between(...wanted.hours) * hourMs };
    const isTaken =
      busy.some((one) => overlaps(one, span, 0)) ||
      found.some((one) => one.series === series.name && overlaps(one, span, 48 * hourMs));
    const isVisible = hoursOf(span).every(
      (at) => expectedOf(series, at) * (series.kind === "funnel" ? series.conversion : 1) >= wanted.least,
    );
    if (isTaken || !isVisible) continue;
    return { series: series.name, kind: wanted.kind, ...span, factor: wanted.factors(), cause: planCause(dice, from) };
  }
}

function hoursOf({ from, to }: Span): number[] {
  return Array.from({ length: Math.round((to - from) / hourMs) }, (_, index) => from + index * hourMs);
}

function planCause(dice: Dice, from: number): Incident["cause"] {
  if (dice.percent(20)) return null;
  const kind = dice.percent(75) ? ("deploy" as const) : ("flag" as const);
  const word = dice.between(0x100000, 0xffffff).toString(16);
  return { kind, name: kind === "deploy" ? `api ${word}` : `rollout-${word}`, at: from - dice.between(2, 20) * 60_000 };
}
