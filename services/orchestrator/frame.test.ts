import type { Log } from "@signalbox/common/contracts/log.ts";
import { parseStreamCursor, toStreamCursor } from "@signalbox/common/cursor.ts";
import { ApiError } from "@signalbox/common/errors.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { matches, type Part, type StreamFilter, toFrameText, toLogPart, toTaskPart } from "./frame.ts";
import { toStreamFilter } from "./stream-filter.ts";
import { bornAt, taskId, taskWith } from "./task.fixture.ts";

const numbers = fc.nat(Number.MAX_SAFE_INTEGER - 1);

test("a cursor comes back as the position that it was made of", () => {
  fc.assert(
    fc.property(numbers, fc.option(numbers), (task, log) => {
      expect(parseStreamCursor(toStreamCursor({ task, log }))).toEqual({ task, log });
    }),
  );
});

test("a log position of 0 and an unknown one are two cursors", () => {
  expect(toStreamCursor({ task: 5, log: 0 })).not.toBe(toStreamCursor({ task: 5, log: null }));
});

const forged = (text: string) => Buffer.from(text).toString("base64url");

test.each([
  "",
  "x",
  "1~2",
  forged("1"),
  forged("1~2~3"),
  forged("-1~2"),
  forged("1~1e5"),
  forged("01~2"),
  forged("1~"),
  forged("9007199254740993~0"),
  `${forged("1~2")}=`,
  forged("1~2 "),
])("%j is no cursor", (text) => {
  expect(() => parseStreamCursor(text)).toThrow(ApiError);
});

test("no text at all makes parsing fail otherwise than with 400", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string().map(forged)), (text) => {
      try {
        parseStreamCursor(text);
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_request" });
      }
    }),
  );
});

const event = { id: taskId, taskId, kind: "created" as const, actor: "person:x", at: bornAt, version: 1, data: {} };
const log: Log = {
  id: taskId,
  at: bornAt,
  level: "warn",
  service: "logging",
  message: 'says "hi"',
  traceId: "a".repeat(32),
  correlationId: "c",
  taskId,
  data: {},
};

test("a frame is one JSON object, and a log's text is passed on as it came", () => {
  const task = taskWith();
  expect(JSON.parse(toFrameText(toTaskPart({ seq: 1, event, task }), "C"))).toEqual({
    type: "task",
    cursor: "C",
    event,
    task,
  });
  const text = JSON.stringify(log);
  expect(toFrameText(toLogPart({ seq: 1, log, text }), "C")).toBe(`{"type":"log","cursor":"C","log":${text}}`);
});

const all: StreamFilter = { types: { task: true, log: true } };
const taskPart = (members = {}): Part => toTaskPart({ seq: 1, event, task: taskWith(members) });
const logPart = (members: Partial<Log> = {}): Part => toLogPart({ seq: 1, log: { ...log, ...members }, text: "{}" });
const parentId = "01890000-0000-7000-8000-00000000000f";

test.each<[string, Partial<StreamFilter>, Part, boolean]>([
  ["nothing asked, a task", {}, taskPart(), true],
  ["nothing asked, a log", {}, logPart(), true],
  ["its task", { taskId }, taskPart(), true],
  ["another task", { taskId: parentId }, taskPart(), false],
  ["its parent alone", { taskId: parentId }, taskPart({ parentId }), false],
  ["a log of the task", { taskId }, logPart(), true],
  ["a log of no task", { taskId }, logPart({ taskId: null }), false],
  ["its trace", { traceId: "0123456789abcdef0123456789abcdef" }, taskPart(), true],
  ["another trace", { traceId: "b".repeat(32) }, taskPart(), false],
  ["a log's trace", { traceId: "a".repeat(32) }, logPart(), true],
  ["a log without trace", { traceId: "a".repeat(32) }, logPart({ traceId: null }), false],
  ["its correlation", { correlationId: "c" }, taskPart({ correlationId: "c" }), true],
  ["no correlation", { correlationId: "c" }, taskPart(), false],
  ["the empty correlation is one", { correlationId: "" }, taskPart(), false],
  ["the level itself", { level: "warn" }, logPart(), true],
  ["a higher level", { level: "warn" }, logPart({ level: "fatal" }), true],
  ["a lower level", { level: "warn" }, logPart({ level: "info" }), false],
  ["a level says nothing about tasks", { level: "fatal" }, taskPart(), true],
  ["its service", { service: "logging" }, logPart(), true],
  ["another service", { service: "orchestrator" }, logPart(), false],
  ["a service says nothing about tasks", { service: "orchestrator" }, taskPart(), true],
  ["all at once", { level: "info", service: "logging", correlationId: "c", taskId }, logPart(), true],
  ["one of several misses", { level: "info", service: "logging", correlationId: "d" }, logPart(), false],
])("filter: %s", (_what, filter, part, expected) => {
  expect(matches({ ...all, ...filter }, part)).toBe(expected);
});

test.each([
  [{}, { types: { task: true, log: true } }],
  [{ types: "task" }, { types: { task: true, log: false } }],
  [{ types: "log,task" }, { types: { task: true, log: true } }],
  [{ taskId: taskId.toUpperCase() }, { types: { task: true, log: true }, taskId }],
  [
    { types: "log", level: "warn", service: "s", traceId: "t", correlationId: "c" },
    { types: { task: false, log: true }, level: "warn", service: "s", traceId: "t", correlationId: "c" },
  ],
] as const)("the query %j asks for that", (query, filter) => {
  expect(toStreamFilter(query)).toEqual(filter);
});

test("a family takes in whoever is made by a member, from then on with its logs, and nobody else", () => {
  const family = { root: parentId, members: new Set([parentId]) };
  const filter = { types: { task: true, log: true }, family };
  expect(matches(filter, logPart())).toBe(false);
  expect(matches(filter, taskPart())).toBe(false);
  expect(matches(filter, taskPart({ parentId }))).toBe(true);
  expect(matches(filter, taskPart())).toBe(true);
  expect(matches(filter, logPart())).toBe(true);
  expect(matches(filter, logPart({ taskId: null }))).toBe(false);
});
