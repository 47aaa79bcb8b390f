/*
 * How often PostHog may be asked. Its limit is counted for the project or for the key, and other people's scripts share it, so ours lies
 * far below. Two buckets of tokens, one that is full again after a minute and one after an hour; a call takes one of each. When PostHog
 * says that it is too much all the same, nothing goes out until the time that it named.
 */

export type Budget = { perMinute: number; perHour: number };

export type BudgetState = { minute: number; hour: number; at: number; closedUntil: number };

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export function newBudget({ perMinute, perHour }: Budget, now: number): BudgetState {
  return { minute: perMinute, hour: perHour, at: now, closedUntil: 0 };
}

/**
 * Takes one call out of the budget.
 *
 * @returns waitMs 0 when it may go out now; else nothing was taken
 */
export function takeCall(state: BudgetState, budget: Budget, now: number): { state: BudgetState; waitMs: number } {
  const filled = refill(state, budget, now);
  if (now < filled.closedUntil) return { state: filled, waitMs: filled.closedUntil - now };
  const waitMs = Math.max(
    missingMs(filled.minute, budget.perMinute / minuteMs),
    missingMs(filled.hour, budget.perHour / hourMs),
  );
  if (waitMs > 0) return { state: filled, waitMs };
  return { state: { ...filled, minute: filled.minute - 1, hour: filled.hour - 1 }, waitMs: 0 };
}

function missingMs(tokens: number, perMs: number): number {
  return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / perMs);
}

function refill(state: BudgetState, { perMinute, perHour }: Budget, now: number): BudgetState {
  const passed = Math.max(0, now - state.at);
  return {
    ...state,
    at: now,
    minute: Math.min(perMinute, state.minute + (passed * perMinute) / minuteMs),
    hour: Math.min(perHour, state.hour + (passed * perHour) / hourMs),
  };
}

/** PostHog has said when to come again. */
export function closeBudget(state: BudgetState, until: number): BudgetState {
  return { ...state, closedUntil: Math.max(state.closedUntil, until) };
}
