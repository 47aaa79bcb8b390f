import type { AgentType } from "@signalbox/common/contracts/agent.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isHeldUp, type LiveAgent, planSlots, slotKey } from "./slots.ts";

function agent(instance: string, ...types: (Partial<AgentType> & { type: string })[]): LiveAgent {
  const name = instance.split("-")[0] ?? instance;
  return { name, instance, url: "http://agent", types: types.map((type) => ({ path: "/run", ...type })) };
}

const none = { running: new Map<string, number>() };
const countBy = (slots: { type: string; instance: string }[]) =>
  Object.fromEntries(
    [...Map.groupBy(slots, (slot) => `${slot.instance} ${slot.type}`)].map(([key, group]) => [key, group.length]),
  );

test("without agents, types or room there are no slots", () => {
  expect(planSlots([], none, 100)).toEqual([]);
  expect(planSlots([agent("a-1")], none, 100)).toEqual([]);
  expect(planSlots([agent("a-1", { type: "x" })], none, 0)).toEqual([]);
});

test("an instance offers as many slots as it says, ten when it says nothing, less what runs there", () => {
  const agents = [agent("a-1", { type: "x", maxConcurrency: 3 }, { type: "y" })];
  const running = new Map([
    [slotKey("a-1", "x"), 2],
    [slotKey("a-1", "y"), 12],
    [slotKey("b-1", "x"), 9],
  ]);
  expect(countBy(planSlots(agents, none, 100))).toEqual({ "a-1 x": 3, "a-1 y": 10 });
  expect(countBy(planSlots(agents, { running }, 100))).toEqual({ "a-1 x": 1 });
});

test("a bound for each type leaves every type its turn, and the instances even", () => {
  const agents = [
    agent("a-1", { type: "x", maxConcurrency: 50 }, { type: "y", maxConcurrency: 1 }),
    agent("a-2", { type: "x", maxConcurrency: 50 }),
  ];
  expect(countBy(planSlots(agents, none, 100, 4))).toEqual({ "a-1 x": 2, "a-2 x": 2, "a-1 y": 1 });
  expect(countBy(planSlots(agents, none, 3, 4))).toEqual({ "a-1 x": 1, "a-2 x": 1, "a-1 y": 1 });
});

test("of the agents of one type only those with the highest priority get it, even when they are full", () => {
  const agents = [
    agent("echo-1", { type: "x", priority: -100 }, { type: "only-echo", priority: -100 }),
    agent("real-1", { type: "x", maxConcurrency: 1 }),
    agent("real-2", { type: "x", maxConcurrency: 1, priority: 0 }),
  ];
  expect(countBy(planSlots(agents, none, 100))).toEqual({ "echo-1 only-echo": 10, "real-1 x": 1, "real-2 x": 1 });
  const full = new Map([
    [slotKey("real-1", "x"), 1],
    [slotKey("real-2", "x"), 1],
  ]);
  expect(countBy(planSlots(agents, { running: full }, 100))).toEqual({ "echo-1 only-echo": 10 });
});

test("instances fill evenly by the share that is taken, the emptiest first", () => {
  const agents = [agent("a-1", { type: "x", maxConcurrency: 4 }), agent("b-1", { type: "x", maxConcurrency: 8 })];
  const running = new Map([[slotKey("a-1", "x"), 2]]);
  const first = planSlots(agents, { running }, 5).map((slot) => slot.instance);
  expect(first).toEqual(["b-1", "b-1", "b-1", "b-1", "a-1"]);
});

test("no type starves another when slots are few", () => {
  const agents = [agent("a-1", { type: "x", maxConcurrency: 100 }), agent("b-1", { type: "y", maxConcurrency: 2 })];
  expect(countBy(planSlots(agents, none, 10))).toEqual({ "a-1 x": 8, "b-1 y": 2 });
  const many = Array.from({ length: 5 }, (_, at) => agent(`a-${at}`, { type: `t${at}` }));
  expect(countBy(planSlots(many, none, 5))).toEqual(Object.fromEntries(many.map((_, at) => [`a-${at} t${at}`, 1])));
});

const fleets = fc.array(
  fc.record({
    instance: fc.constantFrom("a-1", "a-2", "b-1", "c-1"),
    types: fc.array(
      fc.record({
        type: fc.constantFrom("x", "y", "z"),
        maxConcurrency: fc.integer({ min: 1, max: 6 }),
        priority: fc.integer({ min: -1, max: 1 }),
      }),
      { maxLength: 3 },
    ),
  }),
  { maxLength: 4 },
);

test("never more slots than are free or asked for, whatever the fleet", () => {
  fc.assert(
    fc.property(fleets, fc.integer({ min: 0, max: 30 }), fc.nat(6), (fleet, most, busy) => {
      const unique = [...new Map(fleet.map((one) => [one.instance, one])).values()];
      const agents = unique.map(({ instance, types }) =>
        agent(instance, ...new Map(types.map((type) => [type.type, type])).values()),
      );
      const running = new Map(
        agents.flatMap((one) => one.types.map((type) => [slotKey(one.instance, type.type), busy])),
      );
      const slots = planSlots(agents, { running }, most);
      expect(slots.length).toBeLessThanOrEqual(most);
      for (const [key, taken] of Object.entries(countBy(slots))) {
        const [instance, name] = key.split(" ");
        const type = agents.find((one) => one.instance === instance)?.types.find((one) => one.type === name);
        expect(taken + busy).toBeLessThanOrEqual(type?.maxConcurrency ?? 0);
      }
    }),
  );
});

test("an open circuit gets nothing, a half-open one a single run over all its types", () => {
  const agents = [
    agent("a-1", { type: "x" }, { type: "y" }),
    agent("b-1", { type: "x", maxConcurrency: 2 }),
    agent("low-1", { type: "y", priority: -1 }),
  ];
  const withCircuit = (state: "open" | "half_open") => ({ ...none, circuits: new Map([["a-1", state]]) });
  expect(countBy(planSlots(agents, withCircuit("open"), 100))).toEqual({ "b-1 x": 2 });
  const halfOpen = planSlots(agents, withCircuit("half_open"), 100);
  expect(halfOpen.filter((slot) => slot.instance === "a-1")).toHaveLength(1);
  expect(halfOpen.filter((slot) => slot.instance === "b-1")).toHaveLength(2);
});

test("a half-open circuit is tried with the type whose turn it is, and no other", () => {
  const agents = [agent("a-1", { type: "x" }, { type: "y" }, { type: "z" })];
  const circuits = new Map([["a-1", "half_open" as const]]);
  for (const first of ["x", "y", "z"]) {
    expect(countBy(planSlots(agents, { ...none, circuits, first }, 100))).toEqual({ [`a-1 ${first}`]: 1 });
  }
});

test("the shares of all orchestrators together are exactly the slots that there are", () => {
  const shape = fc.record({
    limit: fc.integer({ min: 1, max: 40 }),
    of: fc.integer({ min: 1, max: 12 }),
    name: fc.string(),
  });
  fc.assert(
    fc.property(shape, ({ limit, of, name }) => {
      const agents = [agent(`${name}-1`, { type: "x", maxConcurrency: limit })];
      const shares = Array.from({ length: of }, (_, rank) => {
        const slots = planSlots(agents, { ...none, share: { own: new Map(), rank, of } }, 1_000);
        return slots.length;
      });
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(limit);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    }),
  );
});

test("a full share leaves the rest to the others, and what runs elsewhere counts too", () => {
  const agents = [agent("a-1", { type: "x", maxConcurrency: 4 })];
  const key = slotKey("a-1", "x");
  const share = { own: new Map([[key, 2]]), rank: 0, of: 2 };
  expect(planSlots(agents, { running: new Map([[key, 2]]), share }, 100)).toEqual([]);
  const fresh = { ...share, own: new Map<string, number>() };
  expect(planSlots(agents, { running: new Map([[key, 3]]), share: fresh }, 100)).toHaveLength(1);
});

test.each([
  ["there is room", { own: 1, all: 2 }, 3, false],
  ["all that runs is its own", { own: 3, all: 3 }, 3, false],
  ["others fill what is its own", { own: 0, all: 3 }, 3, true],
  ["its own part is full", { own: 2, all: 3 }, 3, false],
] as const)("a type is held up by others or not: %s", (_what, { own, all }, maxConcurrency, expected) => {
  const key = slotKey("a-1", "x");
  const share = { own: new Map([[key, own]]), rank: 0, of: all === own ? 1 : 2 };
  const load = { running: new Map([[key, all]]), share };
  expect(isHeldUp([agent("a-1", { type: "x", maxConcurrency })], load, "x")).toBe(expected);
  expect(isHeldUp([agent("a-1", { type: "x", maxConcurrency })], load, "y")).toBe(false);
});
