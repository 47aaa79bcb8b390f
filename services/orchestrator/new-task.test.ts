import fc from "fast-check";
import { expect, test } from "vitest";
import { hashBody, parseWait, toNewTask } from "./new-task.ts";
import { taskId } from "./task.fixture.ts";

const type = {
  type: "work",
  description: null,
  payloadSchema: null,
  timeoutMs: null,
  approvalRequired: false,
  agents: ["a"],
  live: true,
};
const person = { actor: "person:operator", isPerson: true, traceId: "1".repeat(32), correlationId: "from header" };
const service = { ...person, actor: "service:internal", isPerson: false };

test("what a body leaves out is decided here", () => {
  expect(toNewTask(taskId, { type: "work" }, type, { ...person, correlationId: null })).toEqual({
    id: taskId,
    type: "work",
    source: "api",
    payload: {},
    correlationId: null,
    traceId: "1".repeat(32),
    priority: 0,
    maxAttempts: 3,
    runAt: null,
    timeoutMs: 30_000,
    concurrencyKey: null,
    userKey: null,
    parentId: null,
    approval: null,
    actor: "person:operator",
  });
});

test("the body's word counts before the headers', the type's and ours", () => {
  const body = {
    type: "work",
    payload: null,
    source: "cron",
    correlationId: "",
    traceId: "2".repeat(32),
    priority: -3,
    maxAttempts: 1,
    timeoutMs: 5,
    concurrencyKey: "k",
    userKey: "u",
    parentId: taskId,
  };
  const {
    id: _id,
    actor: _actor,
    approval: _approval,
    runAt: _runAt,
    ...made
  } = toNewTask(taskId, body, { ...type, timeoutMs: 9 }, service);
  expect(made).toEqual(body);
  expect(toNewTask(taskId, { type: "work" }, { ...type, timeoutMs: 9 }, service)).toMatchObject({
    timeoutMs: 9,
    source: "internal",
    correlationId: "from header",
  });
});

test.each([
  ["2026-01-31T08:00:00+20:00", "2026-01-30T12:00:00.000Z"],
  ["2026-01-31T08:00:00-23:59", "2026-02-01T07:59:00.000Z"],
  ["9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999Z"],
  ["2026-01-31t08:00:00z", "2026-01-31T08:00:00.000Z"],
])("the time %s is stored as the instant it means, which every database takes", (runAt, instant) => {
  expect(toNewTask(taskId, { type: "work", runAt }, type, person).runAt).toBe(instant);
});

type Case = { what: string; byType: boolean; isPerson: boolean; byCreator?: boolean; expected: boolean };

test.each<Case>([
  { what: "nobody demands one", byType: false, isPerson: true, expected: false },
  { what: "the creator demands one", byType: false, isPerson: true, byCreator: true, expected: true },
  { what: "the creator says that none is needed", byType: false, isPerson: true, byCreator: false, expected: false },
  { what: "the type demands one of a service", byType: true, isPerson: false, expected: true },
  {
    what: "the type demands it, whatever a service says",
    byType: true,
    isPerson: false,
    byCreator: false,
    expected: true,
  },
  { what: "a person's own call is its consent", byType: true, isPerson: true, expected: false },
])("approval: $what", ({ byType, isPerson, byCreator, expected }) => {
  const approval = byCreator !== undefined && { required: byCreator, reason: "r", expiresInSeconds: 60 };
  const body = { type: "work", ...(approval && { approval }) };
  const made = toNewTask(taskId, body, { ...type, approvalRequired: byType }, isPerson ? person : service);
  expect(made.approval !== null).toBe(expected);
  if (made.approval && approval) expect(made.approval).toEqual({ reason: "r", expiresInSeconds: 60 });
});

test("equal JSON has equal hashes whatever the order of members; other JSON has others", () => {
  const shuffle = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffle);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, member]) => [key, shuffle(member)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      expect(hashBody(shuffle(plain))).toEqual(hashBody(plain));
    }),
  );
  const bodies = [{ a: 1 }, { a: "1" }, { a: [1] }, { a: [1, 2] }, { a: [2, 1] }, { a: null }, {}, { a: {} }, { b: 1 }];
  expect(new Set(bodies.map((body) => hashBody(body).toString("hex"))).size).toBe(bodies.length);
});

test.each<[string | string[] | undefined, number | null]>([
  [undefined, null],
  ["", null],
  ["respond-async", null],
  ["wait=5", 5],
  ["wait=0", 0],
  ["Wait = 7", 7],
  ["respond-async, wait=60", 60],
  ["wait=61", 60],
  ["wait=999999", 60],
  ["wait=-1", null],
  ["wait=1.5", null],
  ["wait=1e3", null],
  ["await=5", null],
  ["wait", null],
  [["respond-async", "wait=3; foo"], 3],
])("Prefer: %j waits %s s", (header, seconds) => {
  expect(parseWait(header)).toBe(seconds);
});
