import type { MissedPolicy, ScheduledTask } from "@signalbox/common/contracts/schedule.ts";
import { Cron } from "croner";

/** When a schedule fires: exactly one of the three. Instants in ms since 1970. */
export type Timing =
  | { kind: "cron"; cron: string; timezone: string }
  | { kind: "every"; everyMs: number; anchorMs: number }
  | { kind: "at"; atMs: number };

/** The fires to make now, and when it is due again; null when there is no further fire. */
export type FirePlan = { fires: number[]; nextMs: number | null };

/** What stands in a schedule's row besides its history. */
export type ScheduleFields = {
  name: string;
  cron: string | null;
  everySeconds: number | null;
  at: string | null;
  timezone: string;
  task: ScheduledTask;
  missed: MissedPolicy;
  enabled: boolean;
};

type TimingFields = Pick<ScheduleFields, "cron" | "everySeconds" | "at" | "timezone">;

/** How a row's timing is read; `every` counts from its anchor. */
export function toTiming(row: TimingFields, anchorMs: number): Timing {
  if (row.cron !== null) return { kind: "cron", cron: row.cron, timezone: row.timezone };
  if (row.everySeconds !== null) return { kind: "every", everyMs: row.everySeconds * 1_000, anchorMs };
  return { kind: "at", atMs: Date.parse(row.at ?? "") };
}

/** Whether both fire at the same moments: who says again what is so has changed nothing. */
export function isSameTiming(a: TimingFields, b: TimingFields): boolean {
  const isSame = a.cron === b.cron && a.everySeconds === b.everySeconds && a.at === b.at;
  return isSame && (a.cron === null || a.timezone === b.timezone);
}

/** Later than this (or than one interval, if that is shorter) a fire counts as missed. */
const toleranceMs = 5_000;
/** So many fires are made in one go at the most; with `all` the rest follows at once. */
export const maxFires = 100;

/**
 * Why a timing cannot be used, for the person who wrote it; null when it can.
 *
 * Five fields are minute, hour, day, month, weekday; six have seconds in front. A local time that a daylight-saving change
 * leaves out fires at the first instant after the gap; one that comes twice fires once. What fires by an interval (a `*`, a range
 * or a step) goes on by real time in both cases.
 */
export function judgeTiming({ cron, timezone }: TimingFields): { member: string; message: string } | null {
  // Told of a schedule without a cron expression too, so that it does not wait for the day when it gets one.
  if (!isTimezone(timezone))
    return { member: "timezone", message: "is not an IANA time zone such as Europe/Berlin or UTC" };
  if (cron === null) return null;
  // Its reader takes a single date for a schedule too; that is what `at` is for.
  if (!/^@|\s/.test(cron.trim())) return { member: "cron", message: "is not a cron expression of five or six fields" };
  try {
    const next = new Cron(cron, { timezone, mode: "5-or-6-parts" }).nextRun();
    return next === null ? { member: "cron", message: "never comes true" } : null;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : "it cannot be read";
    return { member: "cron", message: `is not a cron expression of five or six fields: ${why}` };
  }
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** The first fire strictly after an instant; null when there is none. */
export function nextFireMs(timing: Timing, afterMs: number): number | null {
  if (timing.kind === "at") return timing.atMs > afterMs ? timing.atMs : null;
  if (timing.kind === "every") {
    const steps = Math.floor((afterMs - timing.anchorMs) / timing.everyMs) + 1;
    return timing.anchorMs + Math.max(1, steps) * timing.everyMs;
  }
  const cron = new Cron(timing.cron, { timezone: timing.timezone, mode: "5-or-6-parts" });
  return cron.nextRun(new Date(afterMs))?.getTime() ?? null;
}

/**
 * What to do about a schedule whose `next_at` has come: which fires to make, and when it is due again.
 *
 * @param dueMs its `next_at`, not after now
 * @param nowMs the database's clock
 */
export function planFires(timing: Timing, missed: MissedPolicy, dueMs: number, nowMs: number): FirePlan {
  if (missed === "all") return listDue(timing, dueMs, nowMs);
  const recentMs = skipAhead(timing, dueMs, nowMs);
  const { fires, nextMs } = listDue(timing, recentMs, nowMs);
  if (missed === "once") return { fires: fires.slice(-1), nextMs };
  return { fires: fires.filter((at) => nowMs - at <= toleranceOf(timing, at)), nextMs };
}

function listDue(timing: Timing, fromMs: number, nowMs: number): FirePlan {
  const fires: number[] = [];
  let at: number | null = fromMs;
  while (at !== null && at <= nowMs && fires.length < maxFires) {
    fires.push(at);
    at = nextFireMs(timing, at);
  }
  return { fires, nextMs: at };
}

/** Of many missed fires only the newest can matter, so a long absence is not walked through second by second. */
function skipAhead(timing: Timing, dueMs: number, nowMs: number): number {
  const recent = nextFireMs(timing, nowMs - 2 * toleranceMs);
  return recent !== null && recent > dueMs && recent <= nowMs ? recent : lastBefore(timing, dueMs, nowMs);
}

/** The newest fire that is not after now, found by doubling steps; at least the one that is due. */
function lastBefore(timing: Timing, dueMs: number, nowMs: number): number {
  let last = dueMs;
  for (let stepMs = nowMs - dueMs; stepMs > toleranceMs; stepMs /= 2) {
    const at = nextFireMs(timing, last + stepMs);
    if (at !== null && at <= nowMs && at > last) last = at;
  }
  return last;
}

function toleranceOf(timing: Timing, at: number): number {
  if (timing.kind === "at") return toleranceMs;
  const next = nextFireMs(timing, at);
  return next === null ? toleranceMs : Math.min(toleranceMs, next - at);
}
