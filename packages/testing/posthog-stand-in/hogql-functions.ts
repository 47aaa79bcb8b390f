import { HogqlError } from "./hogql-tokens.ts";

/** A moment is a Date; everything else is what JSON has. */
export type Value = number | string | boolean | null | Date | readonly Value[];

export type Interval = { count: number; unit: string };

const minuteMs = 60_000;
const unitMs: Record<string, number> = {
  second: 1_000,
  minute: minuteMs,
  hour: 60 * minuteMs,
  day: 24 * 60 * minuteMs,
  week: 7 * 24 * 60 * minuteMs,
};

/** ClickHouse counts weeks from Monday; 1970-01-05 was one. */
const mondayMs = 4 * 24 * 60 * minuteMs;

export function startOf(moment: Value, { count, unit }: Interval): Value {
  const at = toMoment(moment);
  if (at === null) return null;
  const size = unitMs[unit.replace(/s$/, "")];
  if (size === undefined) throw new HogqlError(`Unknown interval unit '${unit}'`);
  const origin = unit.startsWith("week") ? mondayMs : 0;
  return new Date(Math.floor((at.getTime() - origin) / (size * count)) * size * count + origin);
}

export function shift(moment: Value, { count, unit }: Interval, sign: 1 | -1): Value {
  const at = toMoment(moment);
  const size = unitMs[unit.replace(/s$/, "")];
  if (size === undefined) throw new HogqlError(`Unknown interval unit '${unit}'`);
  return at === null ? null : new Date(at.getTime() + sign * count * size);
}

/** Texts are taken as ClickHouse takes them where a moment is wanted; without a zone they are UTC, as the stand-in's project is. */
export function toMoment(value: Value): Date | null {
  if (value instanceof Date) return value;
  if (typeof value === "number") return new Date(value * 1_000);
  if (typeof value !== "string") return null;
  const text = value.replace(" ", "T");
  const at = new Date(/(?:Z|[+-]\d\d:?\d\d)$/.test(text) || !text.includes("T") ? text : `${text}Z`);
  if (Number.isNaN(at.getTime())) throw new HogqlError(`Cannot parse '${value}' as DateTime`);
  return at;
}

function toNumber(value: Value): number | null {
  if (value === null) return null;
  if (value instanceof Date) return value.getTime() / 1_000;
  const number = Number(value);
  return Number.isNaN(number) ? null : number;
}

/** Null when either side is; moments compare with texts that are moments, numbers with texts that are numbers. */
export function compare(a: Value, b: Value): number | null {
  if (a === null || b === null) return null;
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  if (a instanceof Date || b instanceof Date) return (toMoment(a)?.getTime() ?? 0) - (toMoment(b)?.getTime() ?? 0);
  const [left, right] = [toNumber(a), toNumber(b)];
  return left !== null && right !== null ? left - right : compareTexts(String(a), String(b));
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export function isTrue(value: Value): boolean {
  return value === true || (typeof value === "number" && value !== 0);
}

function matches(text: Value, pattern: Value, flags: string): Value {
  if (text === null || pattern === null) return null;
  const source = String(pattern)
    .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll("%", ".*")
    .replaceAll("_", ".");
  return new RegExp(`^${source}$`, `s${flags}`).test(String(text));
}

function numeric(act: (...numbers: number[]) => number) {
  return (...values: Value[]): Value => {
    const numbers = values.map(toNumber);
    return numbers.some((one) => one === null) ? null : act(...(numbers as number[]));
  };
}

function judged(judge: (order: number) => boolean) {
  return (a: Value = null, b: Value = null): Value => {
    const order = compare(a, b);
    return order === null ? null : judge(order);
  };
}

const every =
  (unit: string, count = 1) =>
  (moment: Value = null) =>
    startOf(moment, { count, unit });

/** By name in lower case. */
export const functions: Record<string, (...values: Value[]) => Value> = {
  equals: judged((order) => order === 0),
  notequals: judged((order) => order !== 0),
  less: judged((order) => order < 0),
  lessorequals: judged((order) => order <= 0),
  greater: judged((order) => order > 0),
  greaterorequals: judged((order) => order >= 0),
  in: (item = null, list = null) => (Array.isArray(list) ? list.some((one: Value) => compare(item, one) === 0) : null),
  like: (text = null, pattern = null) => matches(text, pattern, ""),
  ilike: (text = null, pattern = null) => matches(text, pattern, "i"),
  isnull: (value = null) => value === null,
  isnotnull: (value = null) => value !== null,
  not: (value = null) => (value === null ? null : !isTrue(value)),
  plus: numeric((a, b) => a + b),
  minus: numeric((a, b) => a - b),
  multiply: numeric((a, b) => a * b),
  divide: numeric((a, b) => a / b),
  modulo: numeric((a, b) => a % b),
  negate: numeric((a) => -a),
  intdiv: numeric((a, b) => Math.trunc(a / b)),
  floor: numeric((a) => Math.floor(a)),
  round: numeric((a) => Math.round(a)),
  greatest: numeric(Math.max),
  least: numeric(Math.min),
  tounixtimestamp: (moment = null) => toNumber(toMoment(moment)),
  todatetime: (value = null) => toMoment(value),
  tostring: (value = null) => (value === null ? null : value instanceof Date ? value.toISOString() : String(value)),
  toint: (value = null) => numeric((a) => Math.trunc(a))(value),
  tofloat: (value = null) => toNumber(value),
  lower: (text = null) => (text === null ? null : String(text).toLowerCase()),
  concat: (...texts) => texts.map((text) => (text === null ? "" : String(text))).join(""),
  coalesce: (...values) => values.find((value) => value !== null) ?? null,
  nullif: (a = null, b = null) => (compare(a, b) === 0 ? null : a),
  tostartofminute: every("minute"),
  tostartoffiveminutes: every("minute", 5),
  tostartoffifteenminutes: every("minute", 15),
  tostartofhour: every("hour"),
  tostartofday: every("day"),
  tostartofweek: every("week"),
};
