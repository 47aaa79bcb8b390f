import { expect, test } from "vitest";
import { closeBudget, newBudget, takeCall } from "./request-budget.ts";

const budget = { perMinute: 30, perHour: 100 };

function spend(count: number, everyMs: number) {
  let state = newBudget(budget, 0);
  const taken: number[] = [];
  for (let call = 0; call < count; call++) {
    const now = call * everyMs;
    const result = takeCall(state, budget, now);
    state = result.state;
    if (result.waitMs === 0) taken.push(now);
  }
  return { state, taken };
}

test("a minute's budget goes out at once, then one every two seconds", () => {
  expect(spend(100, 0).taken).toHaveLength(30);
  const { state } = spend(30, 0);
  expect(takeCall(state, budget, 0).waitMs).toBe(2_000);
  expect(takeCall(state, budget, 2_000).waitMs).toBe(0);
});

test("in no hour are there more than an hour's budget and what was saved before it", () => {
  const { taken } = spend(4 * 3_600, 1_000);
  const lastHour = taken.filter((at) => at >= 3 * 3_600_000);
  expect(lastHour.length).toBeLessThanOrEqual(101);
  expect(lastHour.length).toBeGreaterThan(95);
});

test("nothing goes out before the time that PostHog named", () => {
  const closed = closeBudget(newBudget(budget, 0), 5_000);
  expect(takeCall(closed, budget, 1_000).waitMs).toBe(4_000);
  expect(takeCall(closeBudget(closed, 3_000), budget, 4_000).waitMs).toBe(1_000);
  expect(takeCall(closed, budget, 5_000).waitMs).toBe(0);
});

test("a call that has to wait takes nothing", () => {
  const { state } = spend(30, 0);
  const again = takeCall(takeCall(state, budget, 1_000).state, budget, 1_000);
  expect(again.waitMs).toBe(1_000);
});
