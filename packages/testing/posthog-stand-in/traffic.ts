import { buildDice, type Dice } from "../dice.ts";
import type { GivenEvent } from "./event-store.ts";
import {
  dayMs,
  expectedOf,
  historyStartsAt,
  hourMs,
  type Incident,
  type MonthPlan,
  monthEndsAt,
  type SeriesPlan,
} from "./month.ts";

/*
 * The events of a planned month, some rows an hour for each series. Around what is expected they vary as traffic does: by chance
 * of counting, by good and bad days, by hours that resemble the hour before, and by blips of a single hour that mean nothing.
 */

/** Rows of each hour, so that the newest event of a busy project is always a few minutes old. */
const rowsAnHour = 3;
const dayNoise = 0.02;
const hourNoise = 0.02;
/** How much of an hour's deviation the next hour still has. */
const persistence = 0.6;
const blipsAMonth = 1;

/** The events of a series' step: a funnel has two, named after it. */
export function eventNames({ name, kind }: Pick<SeriesPlan, "name" | "kind">): [string, string] {
  return kind === "funnel" ? [`${name}_begun`, `${name}_done`] : [name, name];
}

/** What the days of a plan are made of; a month has its own bounds, others may be given. */
type Traffic = Pick<MonthPlan, "seed" | "series" | "incidents" | "holidays" | "lateArrivals">;
type Range = { from: number; to: number };

export function* generateTraffic(
  plan: Traffic,
  range: Range = { from: historyStartsAt, to: monthEndsAt },
): Generator<GivenEvent> {
  for (const series of plan.series) yield* generateSeries(plan, series, range);
}

function* generateSeries(plan: Traffic, series: SeriesPlan, { from: begin, to: end }: Range): Generator<GivenEvent> {
  const dice = buildDice("traffic", plan.seed, series.name);
  const incidents = plan.incidents.filter((incident) => incident.series === series.name);
  let [dayFactor, deviation] = [1, 0];
  for (let at = begin; at < end; at += hourMs) {
    if (at % dayMs === 0) dayFactor = Math.exp(dayNoise * normal(dice));
    deviation = persistence * deviation + hourNoise * Math.sqrt(1 - persistence ** 2) * normal(dice);
    const usual = expectedOf(series, at) * dayFactor * Math.exp(deviation) * specialOf(plan, series, at) * blipOf(dice);
    const incident = incidents.find(({ from, to }) => at >= from && at < to);
    for (let row = 0; row < rowsAnHour; row++) {
      const rowAt = at + ((row + dice()) * hourMs) / rowsAnHour;
      const arrivesAt = rowAt + arrivalDelay(plan, dice, rowAt);
      yield* eventsOf({ series, incident, dice, usual: usual / rowsAnHour, at: Math.floor(rowAt), arrivesAt });
    }
  }
}

function specialOf(plan: Traffic, { newsletterHour }: SeriesPlan, at: number): number {
  const hourOfWeek = Math.floor(((at - historyStartsAt) % (7 * dayMs)) / hourMs);
  const newsletter = newsletterHour === hourOfWeek ? 1.5 : 1;
  return plan.holidays.includes(new Date(at).toISOString().slice(0, 10)) ? 0.6 * newsletter : newsletter;
}

/** Now and then an hour is a tenth or so off, for no reason that anybody will ever find. */
function blipOf(dice: Dice): number {
  const isBlip = dice.percent((100 * blipsAMonth) / (30 * 24));
  const size = 0.08 + 0.07 * dice();
  return isBlip ? 1 + (dice.percent(50) ? size : -size) : 1;
}

function arrivalDelay(plan: Traffic, dice: Dice, at: number): number {
  const late = plan.lateArrivals.find(({ from, to }) => at >= from && at < to);
  return 20_000 + 70_000 * dice() + (late?.delayMs ?? 0);
}

type Hour = {
  series: SeriesPlan;
  incident: Incident | undefined;
  dice: Dice;
  usual: number;
  at: number;
  arrivesAt: number;
};

function* eventsOf(hour: Hour): Generator<GivenEvent> {
  const { series, incident, dice, usual, at, arrivesAt } = hour;
  if (series.kind === "errors") return yield* errorsOf(hour);
  const factor = incident?.factor ?? 1;
  const [first, second] = eventNames(series);
  const begun = poisson(dice, series.kind === "funnel" ? usual : usual * factor);
  yield* many({ at, arrivesAt, event: first, count: begun });
  if (series.kind === "funnel")
    yield* many({ at, arrivesAt, event: second, count: poisson(dice, begun * series.conversion * factor) });
}

/** Ten kinds of error that everybody knows, and during the incident one that nobody does. */
function* errorsOf({ series, incident, dice, usual, at, arrivesAt }: Hour): Generator<GivenEvent> {
  const known = Array.from({ length: 10 }, (_, kind) => ({ kind: `${series.name}-${kind}`, rate: usual / 10 }));
  const fresh = incident ? [{ kind: `${series.name}-new-${incident.from}`, rate: 10 }] : [];
  for (const { kind, rate } of [...known, ...fresh]) {
    const properties = { $exception_issue_id: kind, $exception_types: ["Error"], service: series.name };
    yield* many({ at, arrivesAt, event: "$exception", count: poisson(dice, rate), properties });
  }
}

function* many(given: GivenEvent & { count: number }): Generator<GivenEvent> {
  if (given.count > 0) yield { ...given, persons: Math.ceil(given.count * 0.7) };
}

/** Box and Muller. */
function normal(dice: Dice): number {
  return Math.sqrt(-2 * Math.log(1 - dice())) * Math.cos(2 * Math.PI * dice());
}

function poisson(dice: Dice, mean: number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(dice)));
  let [count, product] = [-1, 1];
  const least = Math.exp(-mean);
  do {
    product *= dice();
    count++;
  } while (product > least);
  return count;
}
