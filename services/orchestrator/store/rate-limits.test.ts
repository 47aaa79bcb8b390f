import { openSession } from "@signalbox/testing/session.ts";
import { expect, test } from "vitest";
import { openStore } from "../store.fixture.ts";
import { countUse } from "./rate-limits.ts";

test.concurrent("what one user is refused takes nothing from all the others", async () => {
  await using box = await openStore();
  await using session = await openSession(box.url);
  // One transaction has one time, so all of this lies in one minute.
  await session.query("begin");
  const uses = [];
  for (const user of ["loud", "loud", "loud", "loud", "quiet"]) uses.push(await countUse(session, user, 2));
  expect(uses.map(({ ofUser, ofAll }) => [ofUser, ofAll])).toEqual([
    [1, 1],
    [2, 2],
    [3, 0],
    [4, 0],
    [1, 3],
  ]);
  for (const { resetSeconds } of uses) expect(resetSeconds).toBeLessThanOrEqual(60);
});

test.concurrent("of many submissions at once each is counted", async () => {
  await using box = await openStore();
  const uses = await Promise.all(Array.from({ length: 40 }, (_, at) => box.store.countUse(`u${at % 4}`, 5)));
  // At most two minutes were counted in, so a number comes twice at the most.
  const ofAll = uses.filter(({ ofUser }) => ofUser <= 5).map((use) => use.ofAll);
  expect(ofAll.length).toBeGreaterThanOrEqual(20);
  for (const count of new Set(ofAll)) expect(ofAll.filter((other) => other === count).length).toBeLessThanOrEqual(2);
  expect(uses.filter(({ ofUser }) => ofUser > 5).every((use) => use.ofAll === 0)).toBe(true);
});
