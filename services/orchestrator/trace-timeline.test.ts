import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toTimeline } from "./trace-timeline.ts";

const at = (ms: number) => new Date(1_800_000_000_000 + ms).toISOString();
const task = (id: string, ms: number, parentId: string | null = null) => ({ id, parentId, createdAt: at(ms) }) as Task;
const event = (taskId: string, kind: string, ms: number) =>
  ({ id: `${taskId} ${kind}`, taskId, kind, at: at(ms) }) as unknown as TaskEvent;
const log = (taskId: string | null, service: string, ms: number) =>
  ({ id: `${taskId} ${service} ${ms}`, taskId, service, message: "said", at: at(ms) }) as Log;

const order = (parts: Parameters<typeof toTimeline>[0]) =>
  toTimeline(parts).map(({ taskId, text }) => `${taskId} ${text}`);

test("with clocks that agree it is the order of time", () => {
  expect(
    order({
      tasks: [task("a", 0), task("b", 20, "a")],
      events: [
        event("a", "created", 0),
        event("a", "started", 10),
        event("b", "created", 20),
        event("a", "completed", 40),
      ],
      logs: [log("a", "agent", 30), log(null, "telegram", 5), log("a", "orchestrator", 2)],
    }),
  ).toEqual([
    "a created",
    "a orchestrator: said",
    "null telegram: said",
    "a started",
    "b created",
    "a agent: said",
    "a completed",
  ]);
});

test("an agent whose clock is behind says nothing of a task before it was started, nor anybody before it was made", () => {
  expect(
    order({
      tasks: [task("a", 0)],
      events: [event("a", "created", 0), event("a", "started", 10)],
      logs: [log("a", "agent", -5_000), log("a", "orchestrator", -5_000)],
    }),
  ).toEqual(["a created", "a orchestrator: said", "a started", "a agent: said"]);
});

test("whatever the clocks say, no effect stands before its cause, and nothing is lost", () => {
  const ms = fc.integer({ min: -10_000, max: 10_000 });
  const made = fc.record({
    parent: fc.nat(),
    created: ms,
    started: ms,
    ended: ms,
    said: fc.array(ms, { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(made, { minLength: 1, maxLength: 12 }), (all) => {
      const parentOf = (n: number) => (n === 0 ? null : `t${(all[n]?.parent ?? 0) % n}`);
      const tasks = all.map(({ created }, n) => task(`t${n}`, created, parentOf(n)));
      const events = all.flatMap(({ created, started, ended }, n) => [
        event(`t${n}`, "created", created),
        event(`t${n}`, "started", started),
        event(`t${n}`, "completed", ended),
      ]);
      const logs = all.flatMap(({ said }, n) => said.map((when) => log(`t${n}`, "agent", when)));
      const found = toTimeline({ tasks, events, logs });
      expect(found).toHaveLength(events.length + logs.length);
      const placeOf = (id: string) => found.findIndex((entry) => entry.id === id);
      for (const { id, parentId } of tasks) {
        const places = ["created", "started", "completed"].map((kind) => placeOf(`${id} ${kind}`));
        expect(places).toEqual([...places].sort((a, b) => a - b));
        if (parentId) expect(placeOf(`${parentId} started`)).toBeLessThan(places[0] ?? -1);
      }
      for (const { id, taskId } of logs) expect(placeOf(`${taskId} started`)).toBeLessThan(placeOf(id));
    }),
  );
});
