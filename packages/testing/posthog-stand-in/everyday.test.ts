import { expect, test } from "vitest";
import { addEveryday } from "./everyday.ts";
import { startPosthogStandIn } from "./server.ts";

const hourMs = 3_600_000;

test("a rehearsal's product has eight weeks behind it, goes on, and shows nothing of the future", async () => {
  const now = Date.parse("2026-11-21T17:40:00Z");
  const clock = { at: now };
  await using posthog = await startPosthogStandIn({ now: () => clock.at, hasLimits: false, asyncPolls: 0 });
  addEveryday(posthog.control, now);
  const count = (from: number, to: number) =>
    [...posthog.state.events.between(from, to, clock.at)]
      .filter(({ event }) => event === "$pageview")
      .reduce((sum, row) => sum + row.count, 0);
  expect(count(now - 50 * 24 * hourMs, now - 49 * 24 * hourMs)).toBeGreaterThan(10_000);
  expect(count(now - 3 * hourMs, now - hourMs)).toBeGreaterThan(1_000);
  expect(count(now, now + 24 * hourMs)).toBe(0);
  clock.at = now + 24 * hourMs;
  expect(count(now, now + 23 * hourMs)).toBeGreaterThan(10_000);
  expect(posthog.state.issues).toHaveLength(10);
});
