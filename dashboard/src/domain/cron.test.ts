import { Cron } from "croner";
import { expect, test } from "vitest";
import { foretell } from "./cron.ts";
import { describeCron, describeEvery } from "./cron-words.ts";

const none = { cron: null, everySeconds: null, at: null, timezone: "UTC" };

test.each([
  ["0 8 * * *", "every day at 08:00"],
  ["30 8,17 * * 1-5", "at 08:30, 17:30 on weekdays"],
  ["*/5 * * * *", "every 5 minutes"],
  ["0 * * * *", "every hour"],
  ["15 */6 * * *", "every 6 hours at minute 15"],
  ["0 9 1 * *", "at 09:00 on day 1 of the month"],
  ["0 9 * 12 1,3", "at 09:00 on Monday, Wednesday in December"],
])("%s reads as %s", (cron, words) => expect(describeCron(cron)).toBe(words));

test.each(["0 8 * * MON#2", "0-30 8 * * *", "* * *", "0 0 8 * * *"])("%s has no words and keeps its own", (cron) =>
  expect(describeCron(cron)).toBeNull(),
);

test("seconds read as the largest unit that fits", () => {
  expect([60, 90, 3_600, 7_200, 86_400].map(describeEvery)).toEqual([
    "every minute",
    "every 90 seconds",
    "every hour",
    "every 2 hours",
    "every day",
  ]);
});

const patterns = [
  "0 8 * * *",
  "30 8,17 * * 1-5",
  "*/5 * * * *",
  "15 */6 * * *",
  "0 9 1 * *",
  "0 9 1 * 1",
  "30 2 * * *",
  "0 0 29 2 *",
  "*/20 4-6 * * sun",
  "0 12 * jan,jul mon-fri",
  "10-59/15 * * * *",
  "0 0 31 * *",
  "0 5 * * 7",
  "*/30 0 3 * * *",
];
const starts = [
  "2026-01-31T23:59:30Z",
  "2026-03-28T20:00:00Z",
  "2026-06-15T12:34:56Z",
  "2026-10-24T21:00:00Z",
  "2026-11-01T04:30:00Z",
];

test.each(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])(
  "the next fires are those of the scheduler's library, in %s",
  (timezone) => {
    for (const cron of patterns) {
      for (const start of starts) {
        const wanted = new Cron(cron, { timezone, mode: "5-or-6-parts" })
          .nextRuns(5, new Date(start))
          .map((run) => run.toISOString());
        const found = foretell({ ...none, cron, timezone }, Date.parse(start), 5);
        expect([cron, start, found]).toEqual([cron, start, { kind: "fires", at: wanted }]);
      }
    }
  },
);

test.each([
  ["61 * * * *", "The minute “61” is not between 0 and 59."],
  ["* * * *", "Five fields are needed, or six with seconds."],
  ["0 0 30 2 *", "This never comes."],
  ["0 17-8 * * *", "The hour range “17-8” runs backwards."],
])("%s is refused: %s", (cron, text) => {
  expect(foretell({ ...none, cron }, 0, 1)).toEqual({ kind: "problem", text });
});

test("what only the scheduler reads is not guessed at", () => {
  expect(foretell({ ...none, cron: "0 9 L * *" }, 0, 1)).toEqual({ kind: "unknown" });
});

test("an unknown zone and a past instant are said", () => {
  expect(foretell({ ...none, cron: "0 8 * * *", timezone: "Mars/Base" }, 0, 1)).toHaveProperty("kind", "problem");
  expect(foretell({ ...none, at: "2020-01-01T00:00:00Z" }, Date.parse("2026-01-01T00:00:00Z"), 1)).toEqual({
    kind: "problem",
    text: "This lies in the past.",
  });
});
