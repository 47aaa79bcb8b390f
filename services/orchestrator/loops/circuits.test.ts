/** In a file of its own: its clock is moved, which everything else in the process would notice. */
import { eventually } from "@signalbox/testing/eventually.ts";
import { afterAll, beforeEach, expect, test } from "vitest";
import { newTask } from "../store.fixture.ts";
import { type Engines, startEngines } from "./dispatch.fixture.ts";

const realNow = performance.now.bind(performance);
let shiftMs = 0;
performance.now = () => realNow() + shiftMs;

beforeEach(() => {
  shiftMs = 0;
});

afterAll(() => {
  performance.now = realNow;
});

/** Longer than an agent may be silent. */
const pastStaleMs = 31_000;
/** Longer than a circuit is open the first time, and shorter than an agent may be silent. */
const pastOpenMs = 11_000;
const well = { kind: "answered", status: 200, body: { result: null }, retryAfterMs: 0 } as const;
const ill = { kind: "rubbish", message: "not JSON" } as const;
const offer = (type: string) => ({ type, maxConcurrency: 1 });

function handle(box: Engines) {
  const find = (type: string) => [...box.agents.held].find((run) => run.type === type);
  return {
    make: (type: string) => box.engines[0]?.insertTask(newTask({ type, maxAttempts: 1 })),
    begun: (type: string) => eventually(() => find(type), { what: `a run of ${type}` }),
  };
}

/** After five runs in a row that failed nothing is sent to the instance, and then it is time to try it. */
async function breakCircuit(box: Engines, type: string): Promise<void> {
  const { make, begun } = handle(box);
  for (let time = 0; time < 5; time++) {
    await make(type);
    (await begun(type)).answer(ill);
    await box.rest();
  }
  expect([...(box.engines[0]?.circuits.states().values() ?? [])]).toEqual(["open"]);
  shiftMs += pastOpenMs;
  expect([...(box.engines[0]?.circuits.states().values() ?? [])]).toEqual(["half_open"]);
}

test("an instance is tried with a task of whichever of its types has one", async () => {
  await using box = await startEngines(1);
  const { make, begun } = handle(box);
  await box.beat(0, "a", [offer("idle"), offer("rare"), offer("work")]);
  await breakCircuit(box, "work");
  await make("work");
  expect(await box.stuck()).toEqual([]);
  const probe = await begun("work");
  await Promise.all([make("idle"), make("rare")]);
  expect(await box.stuck()).toEqual([]);
  expect(box.agents.held.size).toBe(1);
  probe.answer(well);
  await Promise.all([begun("idle"), begun("rare")]);
});

test("the end of a probe opens the way for the other types, even when nothing more of its own was known to wait", async () => {
  await using box = await startEngines(1);
  const { make, begun } = handle(box);
  await box.beat(0, "a", [offer("work"), offer("other")]);
  await breakCircuit(box, "other");
  await box.beat(0, "b", [offer("work")]);
  await box.rest();
  await Promise.all([make("work"), make("work")]);
  await eventually(() => box.agents.held.size === 2, { what: "a run on each instance" });
  const [onA, onB] = ["a", "b"].map((instance) => [...box.agents.held].find((run) => run.instance === instance));
  await make("other");
  expect(await box.stuck()).toEqual([]);
  onB?.answer(well);
  await box.rest();
  onA?.answer(well);
  expect(await box.stuck()).toEqual([]);
  await begun("other");
});

test("an agent that is heard again after a long silence finds what came meanwhile", async () => {
  await using box = await startEngines(1);
  const { make, begun } = handle(box);
  await box.beat(0, "a", [offer("work")]);
  await box.rest();
  shiftMs += pastStaleMs;
  await make("work");
  await box.rest();
  await box.beat(0, "a", [offer("work")]);
  expect(await box.stuck()).toEqual([]);
  await begun("work");
});
