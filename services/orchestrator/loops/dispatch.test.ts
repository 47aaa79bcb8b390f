import { freshDatabase } from "@signalbox/testing/database.ts";
import { buildDice, type Dice } from "@signalbox/testing/dice.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { checkLedger } from "@signalbox/testing/ledger-check.ts";
import { startTcpProxy } from "@signalbox/testing/tcp-proxy.ts";
import { expect, test } from "vitest";
import { newTask } from "../store.fixture.ts";
import { type Engines, startEngines } from "./dispatch.fixture.ts";

const types = ["one", "few", "many"];
const limits: Record<string, number> = { one: 1, few: 3, many: 12 };
const instances = ["a", "b"];
const offersOf = (some: readonly string[]) => some.map((type) => ({ type, maxConcurrency: limits[type] ?? 1 }));

/** What was made: when it was asked for and when it was answered, in steps of one count. */
type Made = { id: string; type: string; priority: number; isPlain: boolean; askedAt: number; madeAt: number };

function buildLoad(box: Engines, dice: Dice) {
  const made: Made[] = [];
  const pending = new Set<Promise<unknown>>();
  let step = 0;

  async function makeOne(): Promise<void> {
    const type = dice.pick(types);
    const priority = dice.percent(20) ? dice.between(-2, 2) : 0;
    const concurrencyKey = dice.percent(15) ? `key-${dice.between(1, 3)}` : null;
    // PostgreSQL refuses the one with a NUL, and whatever shares its statement is stored again without it.
    const payload = dice.percent(5) ? { bad: "\u0000" } : null;
    const isPlain = concurrencyKey === null;
    const task = newTask({ type, priority, concurrencyKey, payload });
    const askedAt = step++;
    const stored = await dice
      .pick(box.engines)
      .insertTask(task)
      .catch(() => null);
    expect(stored === null).toBe(payload !== null);
    if (stored) made.push({ id: task.id, type, priority, isPlain, askedAt, madeAt: step++ });
  }

  function answerSome(share: number): void {
    for (const run of dice.shuffle([...box.agents.held])) {
      if (!dice.percent(share)) continue;
      const body = dice.percent(90) ? { result: null } : { error: { code: "no", message: "no", retryable: false } };
      run.answer({ kind: "answered", status: "error" in body ? 422 : 200, body, retryAfterMs: 0 });
    }
  }

  function start(work: Promise<unknown>): void {
    const ended = work.finally(() => pending.delete(ended));
    pending.add(ended);
  }

  function doOne(what: number): void {
    if (what <= 70) start(makeOne());
    else if (what <= 95) answerSome(dice.between(10, 90));
    else start(box.beat(dice.between(0, 2), dice.pick(instances), offersOf(types.filter(() => dice.percent(70)))));
  }

  return {
    made,
    /** Some of everything at once, each begun in a turn of its own. */
    async mix(): Promise<void> {
      for (let left = dice.between(1, 25); left > 0; left--) {
        doOne(dice.between(1, 100));
        if (dice.percent(50)) await new Promise((resolve) => setImmediate(resolve));
        // Long enough now and then for a statement to be answered.
        if (dice.percent(15)) await box.database.pool.query("select 1");
      }
      await Promise.all(pending);
    },
    /** Everybody takes everything, and all is answered. */
    async finish(): Promise<void> {
      for (const instance of instances) await box.beat(0, instance, offersOf(types));
      await eventually(
        async () => {
          answerSome(100);
          const { rows } = await box.database.pool.query("select 1 from tasks where finished_at is null limit 1");
          return rows.length === 0 && box.engines.every(({ dispatcher }) => dispatcher.busy() === 0);
        },
        { timeoutMs: 60_000, what: "the end of all tasks" },
      );
    },
  };
}

test.concurrent.each([
  { seed: 1, engines: 1 },
  { seed: 2, engines: 1 },
  { seed: 3, engines: 2 },
  { seed: 4, engines: 3 },
])("whatever comes at once, no task waits beside a free slot, and no slot is lost or taken twice: %o", async (run) => {
  await using box = await startEngines(run.engines);
  const load = buildLoad(box, buildDice("dispatch", run.seed));
  for (const instance of instances) await box.beat(0, instance, offersOf(types));
  for (let round = 0; round < 15; round++) {
    await load.mix();
    expect({ round, stuck: await box.stuck() }).toEqual({ round, stuck: [] });
  }
  await load.finish();
  await box.rest();
  for (const { dispatcher, roster } of box.engines) {
    expect([...dispatcher.load().running]).toEqual([...roster.others()]);
  }
  for (const [place, most] of box.agents.most) {
    expect({ place, most }).toEqual({ place, most: Math.min(most, limits[place.split(" ")[1] ?? ""] ?? 0) });
  }
  expect(await checkLedger(box.database.pool, [])).toEqual([]);
  if (run.engines === 1) expect(await findOvertaken(box, load.made)).toEqual([]);
});

/** Plain tasks that began after one of their type that was asked for only when they were stored, and was no better. */
async function findOvertaken(box: Engines, made: readonly Made[]): Promise<string[]> {
  const { rows } = await box.database.pool.query(
    "select task_id, min(seq)::int as seq from task_events where kind = 'started' group by 1",
  );
  const begunAt = new Map(rows.map(({ task_id, seq }) => [task_id as string, seq as number]));
  const plain = made.filter(({ isPlain }) => isPlain);
  return plain.flatMap((first) =>
    plain
      .filter(
        ({ type, priority, askedAt }) => type === first.type && priority <= first.priority && askedAt > first.madeAt,
      )
      .filter(({ id }) => (begunAt.get(id) ?? 0) < (begunAt.get(first.id) ?? 0))
      .map(({ id }) => `${id} overtook ${first.id}`),
  );
}

const well = { kind: "answered", status: 200, body: { result: null }, retryAfterMs: 0 } as const;

test.concurrent("a type that became full because an agent offers less now: its next slot is not overlooked", async () => {
  await using box = await startEngines(1);
  await box.beat(0, "a", [{ type: "work", maxConcurrency: 2 }]);
  await box.engines[0]?.insertTask(newTask({}));
  await eventually(() => box.agents.held.size === 1, { what: "the first run" });
  await box.beat(0, "a", [{ type: "work", maxConcurrency: 1 }]);
  await box.engines[0]?.insertTask(newTask({ concurrencyKey: "key" }));
  expect(await box.stuck()).toEqual([]);
  for (const run of box.agents.held) run.answer(well);
  expect(await box.stuck()).toEqual([]);
  await eventually(() => box.agents.begun.length === 2, { what: "the second run" });
});

test.concurrent.each(["before", "after"] as const)(
  "a connection that is cut %s the statement that stores a task is one refused call, and its slot is free again",
  async (cut) => {
    await using database = await freshDatabase();
    const { port } = new URL(database.url);
    await using proxy = await startTcpProxy(() => [Number(port)]);
    await using box = await startEngines(1, { database, port: proxy.port });
    const [engine] = box.engines;
    await box.beat(0, "a", [{ type: "work", maxConcurrency: 2 }]);
    await box.rest();
    const sprung = proxy.trap({ text: "insert_plain_tasks", nth: 1, cut }, AbortSignal.timeout(30_000));
    const refused = newTask({});
    await expect(engine?.insertTask(refused)).rejects.toThrow();
    expect(await sprung).toBe(true);
    const next = newTask({});
    await engine?.insertTask(next);
    await eventually(() => box.agents.begun.includes(next.id), { what: "the next run" });
    // What was committed although nobody knows runs when its lease is over; had a poll just taken the slot, it ran as any other.
    const { rows } = await database.pool.query("select attempt from tasks where id = $1", [refused.id]);
    expect(rows).toEqual(cut === "before" ? [] : [{ attempt: 1 }]);
    expect(box.agents.begun.filter((id) => id === refused.id).length).toBeLessThan(2);
    for (const run of box.agents.held) run.answer(well);
    await box.rest();
    expect([...(engine?.dispatcher.load().running ?? [])]).toEqual([]);
  },
);

test.concurrent("an engine that stops while tasks are stored at it keeps none: the other one runs them", async () => {
  await using box = await startEngines(2);
  const [stopping] = box.engines;
  await box.beat(1, "a", [{ type: "work", maxConcurrency: 4 }]);
  await box.rest();
  const stored: Promise<unknown>[] = [];
  let stopped: Promise<void> | undefined;
  for (let turn = 0; turn < 60; turn++) {
    if (turn === 20) stopped = stopping?.stop(0);
    stored.push(stopping?.insertTask(newTask({})) ?? Promise.resolve());
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all([...stored, stopped]);
  expect(await box.stuck()).toEqual([]);
  const { rows } = await box.database.pool.query("select 1 from tasks where lease_owner = 'engine-0'");
  expect(rows).toEqual([]);
  await eventually(
    () => {
      for (const run of box.agents.held) run.answer(well);
      return new Set(box.agents.begun).size === stored.length && box.agents.held.size === 0;
    },
    { what: "the end of all" },
  );
  await box.rest();
  expect(await checkLedger(box.database.pool, [])).toEqual([]);
});

test.concurrent("of more types than one claim has slots, none is left out", async () => {
  await using box = await startEngines(1);
  const all = Array.from({ length: 300 }, (_, at) => ({ type: `type-${at}`, maxConcurrency: 2 }));
  await Promise.all([box.beat(0, "a", all.slice(0, 150)), box.beat(0, "b", all.slice(150))]);
  await box.engines[0]?.insertTask(newTask({ type: "type-299", concurrencyKey: "key" }));
  expect(await box.stuck()).toEqual([]);
  await eventually(() => box.agents.begun.length === 1, { what: "its run" });
});

test.concurrent("a task that is stored before its agent is known there runs at once where the agent's slot is", async () => {
  await using box = await startEngines(2);
  const [one, two] = box.engines;
  // Of some the only slot is the one's, of the others it is the other's.
  const offers = Array.from({ length: 6 }, (_, at) => ({ type: `type-${at}`, maxConcurrency: 1 }));
  await box.record("a", offers);
  two?.roster.ring();
  await box.rest();
  for (const { type } of offers) await one?.insertTask(newTask({ type }));
  await box.rest();
  one?.roster.ring();
  expect(await box.stuck()).toEqual([]);
  await eventually(() => box.agents.begun.length === offers.length, { what: "a run of each type" });
});

test.concurrent("the slot of a deferred run is free where it was filled as soon as the ledger says that it ended", async () => {
  await using box = await startEngines(2);
  await box.beat(0, "a", [{ type: "work", maxConcurrency: 1 }]);
  await box.rest();
  for (let at = 0; at < 4; at++) await box.engines[0]?.insertTask(newTask({}));
  for (let round = 1; round < 4; round++) {
    await eventually(() => box.agents.held.size === 1, { what: "a run" });
    const [run] = box.agents.held;
    run?.answer({ kind: "answered", status: 202, body: null, retryAfterMs: 0 });
    await box.rest();
    expect(box.agents.begun).toHaveLength(round);
    if (run) await box.complete(run);
    await box.tell();
    await box.rest();
    expect(box.agents.begun).toHaveLength(round + 1);
  }
});
