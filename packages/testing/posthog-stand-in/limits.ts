import { Refusal, type State } from "./state.ts";

type Limit = { most: number; windowMs: number };

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** As documented, for a project; CRUD is flags, insights, annotations and the like. */
const limits: Record<"query" | "crud", Limit[]> = {
  query: [
    { most: 240, windowMs: minuteMs },
    { most: 2_400, windowMs: hourMs },
  ],
  crud: [
    { most: 480, windowMs: minuteMs },
    { most: 4_800, windowMs: hourMs },
  ],
};

export const queriesAtOnce = 3;

/** @throws Refusal 429 */
export function spend(state: State, kind: "query" | "crud"): void {
  if (!state.hasLimits) return;
  const now = state.now();
  const spent = (state.spending.get(kind) ?? []).filter((at) => now - at < hourMs);
  for (const { most, windowMs } of limits[kind]) {
    const inside = spent.filter((at) => now - at < windowMs);
    if (inside.length < most) continue;
    const waitSeconds = Math.max(1, Math.ceil(((inside[0] ?? now) + windowMs - now) / 1_000));
    throw new Refusal(429, `Request was throttled. Expected available in ${waitSeconds} seconds.`, {
      code: "throttled",
      headers: { "retry-after": String(waitSeconds) },
    });
  }
  state.spending.set(kind, [...spent, now]);
}
