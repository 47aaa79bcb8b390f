import { expect, test } from "vitest";
import { finishOf, openStore } from "../store.fixture.ts";
import { toLedgerStep } from "./rows.ts";

test.concurrent("steps say what the entries of the ledger say", async () => {
  await using box = await openStore();
  await box.insert({ priority: 3 });
  const [claimed] = await box.claim(1);
  if (!claimed) throw new Error("nothing was claimed");
  const error = { code: "broken", message: "it broke", retryable: true };
  await box.store.finishAttempts([finishOf(claimed, { kind: "retry", error, delayMs: 60_000 })]);

  const range = { after: 0, upTo: 1_000, limit: 100 };
  const entries = await box.store.readLedger(range);
  expect(await box.store.readSteps(range)).toEqual(entries.map(toLedgerStep));
  expect(entries).toHaveLength(3);
  expect(await box.store.readSteps({ after: 1, upTo: 3, limit: 1 })).toMatchObject([{ seq: 2, kind: "started" }]);
});
