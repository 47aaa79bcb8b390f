/*
 * When a schedule will fire, foretold in the browser: the scheduler's library would be a twelfth of the page. `cron.test.ts` holds
 * both to the same instants. As there: five fields or six with seconds in front, day and weekday together mean either, a local
 * time that a daylight-saving change leaves out comes at the first instant after the gap, and one that comes twice comes once. Of
 * a pattern with several times in the one hour of the year that comes twice, the library repeats some; those are not foretold.
 */

export type Timing = { cron: string | null; everySeconds: number | null; at: string | null; timezone: string };
export type Foretold =
  | { kind: "fires"; at: string[] }
  | { kind: "problem"; text: string }
  /** Written in a way that only the scheduler reads, such as `L` or `#`. */
  | { kind: "unknown" };

type Field = { name: string; low: number; high: number; names?: readonly string[] };
type Pattern = { fields: readonly ReadonlySet<number>[]; eitherDay: boolean };

const monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const fields: readonly Field[] = [
  { name: "second", low: 0, high: 59 },
  { name: "minute", low: 0, high: 59 },
  { name: "hour", low: 0, high: 23 },
  { name: "day", low: 1, high: 31 },
  { name: "month", low: 1, high: 12, names: monthNames },
  { name: "weekday", low: 0, high: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

class Unreadable extends Error {}
class Unknown extends Error {}

function readValue(text: string, { name, low, high, names }: Field): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + (names === monthNames ? 1 : 0);
  if (/[LW#]/i.test(text)) throw new Unknown();
  const value = Number(text);
  if (!/^\d{1,2}$/.test(text) || value < low || value > high)
    throw new Unreadable(`The ${name} “${text}” is not between ${low} and ${high}.`);
  return value;
}

function readRange(text: string, field: Field): [number, number] {
  if (text === "*" || text === "?") return [field.low, field.name === "weekday" ? 6 : field.high];
  const [from = "", to] = text.split("-");
  const low = readValue(from, field);
  const high = to === undefined ? low : readValue(to, field);
  if (high < low) throw new Unreadable(`The ${field.name} range “${text}” runs backwards.`);
  return [low, high];
}

function readStep(part: string, range: string, stepText: string | undefined): number {
  const step = stepText === undefined ? 1 : Number(stepText);
  if (!Number.isInteger(step) || step < 1) throw new Unreadable(`The step of “${part}” is no number.`);
  if (stepText !== undefined && !/[-*?]/.test(range)) throw new Unreadable(`A step needs a range: “${part}”.`);
  return step;
}

function readField(text: string, field: Field): ReadonlySet<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const [range = "", stepText] = part.split("/");
    const step = readStep(part, range, stepText);
    const [low, high] = readRange(range, field);
    for (let value = low; value <= high; value += step) values.add(field.name === "weekday" ? value % 7 : value);
  }
  return values;
}

function readPattern(expression: string): Pattern {
  const texts = expression.trim().split(/\s+/);
  if (texts.length !== 5 && texts.length !== 6) throw new Unreadable("Five fields are needed, or six with seconds.");
  const all = texts.length === 5 ? ["0", ...texts] : texts;
  const isOpen = (text: string | undefined) => text === "*" || text === "?";
  return {
    fields: fields.map((field, index) => readField(all[index] ?? "*", field)),
    eitherDay: !isOpen(all[3]) && !isOpen(all[5]),
  };
}

type Clock = { offsetMs: (atMs: number) => number };

/** Offsets of a zone, from its own calendar. @throws Unreadable */
function toClock(timezone: string): Clock {
  try {
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone: timezone,
      hourCycle: "h23",
      ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" },
    });
    return {
      offsetMs(atMs) {
        const parts = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
        const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
        return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1000) * 1000;
      },
    };
  } catch {
    throw new Unreadable(`There is no time zone “${timezone}”.`);
  }
}

const DAY_MS = 86_400_000;

/** The instant of a local time, written as if it were UTC; the first of two, and after a gap its end. */
function toInstantMs(localMs: number, { offsetMs }: Clock): number {
  const [before, after] = [offsetMs(localMs - DAY_MS), offsetMs(localMs + DAY_MS)];
  const fitting = [localMs - before, localMs - after].filter((atMs) => offsetMs(atMs) === localMs - atMs);
  if (fitting.length > 0) return Math.min(...fitting);
  let [low, high] = [localMs - DAY_MS, localMs + DAY_MS];
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (offsetMs(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

function matchesDay({ fields: [, , , days, months, weekdays], eitherDay }: Pattern, date: Date): boolean {
  if (!months?.has(date.getUTCMonth() + 1)) return false;
  const [isDay, isWeekday] = [days?.has(date.getUTCDate()), weekdays?.has(date.getUTCDay())];
  return eitherDay ? isDay === true || isWeekday === true : isDay === true && isWeekday === true;
}

const sorted = (values: ReadonlySet<number> | undefined) => [...(values ?? [])].sort((left, right) => left - right);

/** Every time of the pattern's day, in ms of the day, in order. */
function timesOf({ fields: [seconds, minutes, hours] }: Pattern): number[] {
  const inMinute = sorted(seconds).map((second) => second * 1000);
  const inHour = sorted(minutes).flatMap((minute) => inMinute.map((ms) => minute * 60_000 + ms));
  return sorted(hours).flatMap((hour) => inHour.map((ms) => hour * 3_600_000 + ms));
}

/** A pattern that has not come in so many days (29 February on a weekday takes 40 years) never will. */
const MOST_DAYS = 366 * 45;

function listFires(pattern: Pattern, clock: Clock, fromMs: number, count: number): number[] {
  const fires: number[] = [];
  const times = timesOf(pattern);
  const start = Math.floor((fromMs + clock.offsetMs(fromMs)) / DAY_MS) * DAY_MS;
  for (let dayMs = start; dayMs < start + MOST_DAYS * DAY_MS && fires.length < count; dayMs += DAY_MS) {
    if (!matchesDay(pattern, new Date(dayMs))) continue;
    addFires(fires, { dayMs, times, clock, fromMs, count });
  }
  return fires;
}

type Day = { dayMs: number; times: readonly number[]; clock: Clock; fromMs: number; count: number };

function addFires(fires: number[], { dayMs, times, clock, fromMs, count }: Day): void {
  // A zone is asked only for what may be after the instant that is looked for: that is slow, and a day has many seconds.
  const first = times.findIndex((timeMs) => dayMs + timeMs - clock.offsetMs(fromMs) > fromMs - 3 * 3_600_000);
  for (const timeMs of first < 0 ? [] : times.slice(first)) {
    if (fires.length >= count) return;
    const atMs = toInstantMs(dayMs + timeMs, clock);
    if (atMs > (fires.at(-1) ?? fromMs)) fires.push(atMs);
  }
}

function foretellCron(expression: string, timezone: string, from: { ms: number; count: number }): Foretold {
  try {
    const fires = listFires(readPattern(expression), toClock(timezone), from.ms, from.count);
    if (fires.length === 0) return { kind: "problem", text: "This never comes." };
    return { kind: "fires", at: fires.map((ms) => new Date(ms).toISOString()) };
  } catch (error) {
    if (error instanceof Unknown) return { kind: "unknown" };
    if (error instanceof Unreadable) return { kind: "problem", text: error.message };
    throw error;
  }
}

/** The next instants after `fromMs`, at most `count`. */
export function foretell(timing: Timing, fromMs: number, count: number): Foretold {
  if (timing.cron !== null) return foretellCron(timing.cron, timing.timezone, { ms: fromMs, count });
  if (timing.everySeconds !== null) {
    const stepMs = timing.everySeconds * 1000;
    if (!Number.isInteger(timing.everySeconds) || stepMs < 1000)
      return { kind: "problem", text: "A whole number of seconds is needed, at least 1." };
    const at = Array.from({ length: count }, (_, index) => new Date(fromMs + (index + 1) * stepMs).toISOString());
    return { kind: "fires", at };
  }
  const atMs = Date.parse(timing.at ?? "");
  if (Number.isNaN(atMs)) return { kind: "problem", text: "This is not an instant." };
  return atMs > fromMs
    ? { kind: "fires", at: [new Date(atMs).toISOString()] }
    : { kind: "problem", text: "This lies in the past." };
}
