import { expect, test } from "vitest";
import { runSuite } from "./suite.ts";

/** Longer than the suite ever needs: on a busy machine everything takes long, and a failure by time says nothing. */
const timeout = 300_000;
const seed = 20_260_131;

test("2,000 tasks of 50 keys, two orchestrators: one killed, one stopped past its lease; agents killed, PostgreSQL crashed: no promise is broken", {
  timeout,
}, async () => {
  const lines: string[] = [];
  const options = { seed, orchestrators: 3, minutes: 0, only: null, lap: 1, isShort: true };
  const { rounds, violations } = await runSuite(options, (line) => lines.push(line));
  expect(violations, lines.join("\n")).toEqual([]);
  expect(rounds.map(({ tasks }) => tasks > 2_000)).toEqual([true]);
});
