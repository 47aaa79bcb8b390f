/* Wakeups: at which moments of the day which prompt is due. All times are UTC. */
import { type Static, Type } from "typebox";

const closed = { additionalProperties: false } as const;

export const WakeupItem = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 200 }),
    prompt: Type.String({
      minLength: 1,
      maxLength: 10_000,
      description: "what is to be looked at, for whoever reads the digest",
    }),
    times: Type.Array(Type.String({ pattern: "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$" }), {
      minItems: 1,
      maxItems: 24,
      description: "UTC",
    }),
    query: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 20_000,
        description: "HogQL with {from} and {to}, a day; its rows are shown",
      }),
    ),
  },
  closed,
);

export const Wakeups = Type.Object(
  {
    enabled: Type.Boolean(),
    items: Type.Array(WakeupItem, { maxItems: 50 }),
    missed: Type.Optional(
      Type.Enum(["skip", "once"], {
        description: "what fired while nobody watched: left out, or made up for once (default)",
      }),
    ),
  },
  closed,
);
export type Wakeups = Static<typeof Wakeups>;

export const defaultWakeups: Wakeups = {
  enabled: true,
  items: [{ title: "daily digest", prompt: "What changed since yesterday?", times: ["08:00"] }],
  missed: "once",
};

export type Due = { title: string; dueAt: number; isLate: boolean };

const dayMs = 86_400_000;
const minuteMs = 60_000;
/** What comes later than so after its moment was missed. */
const punctualMs = 5 * minuteMs;
/** What was missed for longer is not made up for. */
const longestMs = dayMs;

/**
 * What is due between two moments: every punctual one, and of those that were missed the newest of each item.
 *
 * @param after until when everything was looked at; null at the very first time, when nothing was missed
 */
export function listDue({ enabled, items, missed = "once" }: Wakeups, after: number | null, now: number): Due[] {
  if (!enabled) return [];
  const from = Math.max(after ?? now - punctualMs, now - longestMs);
  return items.flatMap(({ title, times }) => {
    const moments = times.flatMap((time) => momentsOf(time, from, now)).sort((a, b) => a - b);
    const punctual = moments.filter((at) => now - at <= punctualMs);
    const late = moments.filter((at) => now - at > punctualMs).slice(-1);
    const madeUp = missed === "once" && punctual.length === 0 ? late : [];
    return [...madeUp, ...punctual].map((dueAt) => ({ title, dueAt, isLate: now - dueAt > punctualMs }));
  });
}

/** When a time of day comes in (from, to]. */
function momentsOf(time: string, from: number, to: number): number[] {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  const offset = (hours * 60 + minutes) * minuteMs;
  const firstDay = from - (((from % dayMs) + dayMs) % dayMs);
  return [firstDay, firstDay + dayMs, firstDay + 2 * dayMs]
    .map((day) => day + offset)
    .filter((at) => at > from && at <= to);
}
