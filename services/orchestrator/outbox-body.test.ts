import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { maxBodyBytes, toBody } from "./outbox-body.ts";
import { bornAt, taskId, taskWith } from "./task.fixture.ts";

const publicUrl = "https://box.example/";
const whole = `https://box.example/task/${taskId}`;

const eventWith = (members: Partial<TaskEvent> = {}): TaskEvent => ({
  id: "01890000-0000-7000-8000-0000000000aa",
  taskId,
  kind: "patched",
  actor: "person:ann",
  at: bornAt,
  version: 2,
  data: {},
  ...members,
});

const write = (event: Partial<TaskEvent>, task: Partial<Task>) =>
  JSON.parse(toBody({ event: eventWith(event), task: taskWith(task) }, publicUrl));

test("what is small is told as it is", () => {
  const [event, task] = [eventWith({ data: { reason: "é🙂" } }), taskWith({ payload: { a: [1] } })];
  expect(write(event, task)).toEqual({ type: "task.patched", timestamp: bornAt, data: { event, task } });
});

test("the largest is cut first, and what then fits stays", () => {
  const { data } = write(
    { data: { note: "n".repeat(300) } },
    { payload: "p".repeat(19_000), result: { r: "r".repeat(500) } },
  );
  expect(data.task.payload).toBe(`${"p".repeat(500)}… [cut: 19000 bytes, whole at ${whole}]`);
  expect(data.task.result).toEqual({ r: "r".repeat(500) });
  expect(data.event.data).toEqual({ note: "n".repeat(300) });
});

test("a text stays a text and an object says what is missing, wherever they stand", () => {
  const long = "x".repeat(30_000);
  const error = { code: "boom", message: long.slice(0, 10_000), details: { long } };
  const { data } = write(
    { data: { changes: { payload: { from: {}, to: { long } }, status: { from: "queued", to: "failed" } }, error } },
    { error, progress: { message: long, percent: 1, agentName: null, at: bornAt } },
  );
  const cut = { cut: true, bytes: expect.any(Number), whole };
  expect(data.event.data.changes).toEqual({ payload: cut, status: { from: "queued", to: "failed" } });
  expect(data.event.data.error).toEqual(cut);
  expect(data.task.error).toMatchObject({ code: "boom", details: cut });
  expect(data.task.progress).toMatchObject({
    message: expect.stringMatching(/^x{500}… \[cut: 30000 bytes/),
    percent: 1,
  });
});

test("very many small members are cut together", () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, index]));
  expect(write({ kind: "note", data: many }, {}).data.event).toMatchObject({
    kind: "note",
    data: { cut: true, bytes: expect.any(Number), whole },
  });
});

test("whatever an event and its task hold, the body is small, is JSON, and changes nothing of theirs", () => {
  const large = fc.string({ unit: "binary", maxLength: 12_000, size: "max" });
  const key = fc.string({ unit: "binary", maxLength: 500, size: "max" });
  const shape = fc.record({
    large,
    data: fc.dictionary(fc.string(), fc.oneof(large, fc.jsonValue())),
    key,
    changes: fc.jsonValue(),
  });
  fc.assert(
    fc.property(shape, ({ large, data, key, changes }) => {
      const event = eventWith({ data: { ...data, changes } });
      const error = { code: "c".repeat(100), message: large.slice(0, 10_000), details: data };
      const task = taskWith({
        payload: data,
        result: large,
        error,
        concurrencyKey: key,
        userKey: key,
        correlationId: key.slice(0, 200),
      });
      const before = JSON.stringify([event, task]);
      const text = toBody({ event, task }, publicUrl);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBodyBytes);
      expect(JSON.parse(text).data.task.concurrencyKey).toBe(JSON.parse(JSON.stringify(key)));
      expect(JSON.stringify([event, task])).toBe(before);
    }),
    { numRuns: 100 },
  );
});
