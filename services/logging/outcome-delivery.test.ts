import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OutcomeList } from "@signalbox/common/contracts/outcome.ts";
import { buildOutcomeReporter } from "@signalbox/common/outcomes.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { internalKey, startLogging } from "./logging.fixture.ts";

const outcome = (n: number) => ({
  source: "bot",
  cycle_id: `c${n}`,
  sig_hash: "s",
  event_kind: "ok",
  ok: true,
  extra: { token: "hunter2-hunter2" },
});

function open(url: string, spoolDir: string) {
  const pace = { patienceMs: 50, retryMaxMs: 100 };
  return buildOutcomeReporter({ service: "bot", url, internalKey, spoolDir, onDropped: () => undefined, pace });
}

test("an outcome stays on disk while logging is away, and arrives once with the next run of its observer", async () => {
  const spoolDir = await mkdtemp(join(tmpdir(), "signalbox-outcomes-"));
  await using _gone = { [Symbol.asyncDispose]: () => rm(spoolDir, { recursive: true, force: true }) };
  const early = open("http://127.0.0.1:9", spoolDir);
  for (let n = 0; n < 20; n++) early.report(outcome(n));
  await early.close(100);
  expect(early.dropped()).toBe(0);
  const files = await readdir(spoolDir);
  const kept = await Promise.all(files.map((name) => readFile(join(spoolDir, name), "utf8")));
  expect(kept.join("").split("\n").filter(Boolean)).toHaveLength(20);
  expect(kept.join("")).not.toContain("hunter2");

  await using logging = await startLogging();
  const late = open(logging.url, spoolDir);
  late.report(outcome(20));
  const stored = async () => (await logging.get<OutcomeList>("/events?limit=1000")).body.items;
  await eventually(async () => (await stored()).length === 21);
  expect(new Set((await stored()).map(({ cycle_id }) => cycle_id)).size).toBe(21);
  await late.close();
  expect(await readdir(spoolDir)).toEqual([]);
});
