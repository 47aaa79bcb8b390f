const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export type Zone = "local" | "utc";

const units: Record<string, number> = { s: SECOND, m: MINUTE, min: MINUTE, h: HOUR, d: DAY, w: 7 * DAY };

/** `15m`, `1h`, `7d` as milliseconds; null for anything else, an instant included. */
export function parseSpan(text: string): number | null {
  const match = /^(\d{1,5})(s|m|min|h|d|w)$/.exec(text.trim());
  const unit = units[match?.[2] ?? ""];
  return match && unit ? Number(match[1]) * unit : null;
}

/** A range bound of the filter language, `1h` before now or an instant, as RFC 3339 UTC; null when it is neither. */
export function toInstant(text: string, nowMs: number): string | null {
  const span = parseSpan(text);
  if (span !== null) return new Date(nowMs - span).toISOString();
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

/** Two units at most, the way a person says it: `340 ms`, `1.9 s`, `2 min 4 s`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  const abs = Math.max(0, ms);
  if (abs < SECOND) return `${Math.round(abs)} ms`;
  if (abs < 10 * SECOND) return `${(Math.floor(abs / 100) / 10).toFixed(1)} s`;
  if (abs < MINUTE) return `${Math.floor(abs / SECOND)} s`;
  if (abs < HOUR) return twoUnits(abs, [MINUTE, "min"], [SECOND, "s"]);
  if (abs < DAY) return twoUnits(abs, [HOUR, "h"], [MINUTE, "min"]);
  return twoUnits(abs, [DAY, "d"], [HOUR, "h"]);
}

function twoUnits(ms: number, [big, bigName]: [number, string], [small, smallName]: [number, string]): string {
  const whole = Math.floor(ms / big);
  const rest = Math.floor((ms % big) / small);
  return rest === 0 ? `${whole} ${bigName}` : `${whole} ${bigName} ${rest} ${smallName}`;
}

/** One unit, for a column of ages: `now`, `4 s`, `12 min`, `3 h`, `5 d`. */
export function formatAge(ms: number): string {
  if (ms < SECOND) return "now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

const pad = (value: number, length = 2) => String(value).padStart(length, "0");

type Parts = { year: number; month: number; day: number; clock: string; ms: number };

function toParts(atMs: number, zone: Zone): Parts {
  const date = new Date(atMs);
  if (zone === "utc") {
    const clock = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
    const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
    return { year, month, day, clock, ms: date.getUTCMilliseconds() };
  }
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const [year, month, day] = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  return { year, month, day, clock, ms: date.getMilliseconds() };
}

/** `09:41:12` */
export function formatClock(at: string | number, zone: Zone): string {
  return toParts(new Date(at).getTime(), zone).clock;
}

/** `09:41:12.204` */
export function formatClockMs(at: string | number, zone: Zone): string {
  const parts = toParts(new Date(at).getTime(), zone);
  return `${parts.clock}.${pad(parts.ms, 3)}`;
}

/** `2026-11-21 09:41:12` */
export function formatDateTime(at: string | number, zone: Zone): string {
  const parts = toParts(new Date(at).getTime(), zone);
  return `${parts.year}-${pad(parts.month)}-${pad(parts.day)} ${parts.clock}`;
}

/** The clock alone for an instant of today, else with its date: a time without its day misleads after midnight. */
export function formatMoment(at: string | number, nowMs: number, zone: Zone): string {
  const parts = toParts(new Date(at).getTime(), zone);
  const today = toParts(nowMs, zone);
  const sameDay = parts.year === today.year && parts.month === today.month && parts.day === today.day;
  return sameDay ? parts.clock : `${parts.year}-${pad(parts.month)}-${pad(parts.day)} ${parts.clock}`;
}
