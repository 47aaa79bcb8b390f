import { expect, test } from "vitest";
import { toTask } from "../../test/records.ts";
import { toCurl } from "./curl.ts";
import { diffTasks, diffValues, toPreview } from "./diff.ts";
import { findId } from "./ids.ts";

test("the differing leaves are named with what was and is", () => {
  expect(diffValues({ a: 1, list: [1, 2], gone: true }, { a: 1, list: [1, 3], come: "x" })).toEqual([
    { path: "list[1]", from: 2, to: 3 },
    { path: "gone", from: true, to: undefined },
    { path: "come", from: undefined, to: "x" },
  ]);
  expect(diffValues({ a: [1] }, { a: { 0: 1 } })).toEqual([{ path: "a", from: [1], to: { 0: 1 } }]);
});

test("a renewed lease or progress is no change to decide about", () => {
  const task = toTask();
  const progress = { message: "half", percent: 50, agentName: null, at: task.createdAt };
  expect(diffTasks(task, { ...task, version: 9, updatedAt: "2026-11-21T12:00:01.000Z", progress })).toEqual([]);
  expect(diffTasks(task, { ...task, version: 2, payload: { commitId: "b" } }).map(({ path }) => path)).toEqual([
    "payload.commitId",
  ]);
});

test("previews are one line and say what is not there", () => {
  expect(toPreview({ a: 1 })).toBe('{"a":1}');
  expect(toPreview("x".repeat(10), 5)).toBe("xxxx…");
  expect(toPreview(undefined)).toBe("not set");
});

test("a command names the credentials' settings and survives quotes", () => {
  expect(toCurl({ method: "POST", url: "http://127.0.0.1:4000/task", body: { text: "it's" } })).toBe(
    `curl -u "$BASIC_AUTH_USER:$BASIC_AUTH_PASS" -X POST -H 'Content-Type: application/json' -d '{"text":"it'\\''s"}' 'http://127.0.0.1:4000/task'`,
  );
});

test("pasted ids are told apart", () => {
  expect(findId(" 01A1FDD8-410A-7303-B89C-0733BCDA9A76 ")).toEqual({
    kind: "uuid",
    id: "01a1fdd8-410a-7303-b89c-0733bcda9a76",
  });
  expect(findId("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")).toEqual({
    kind: "trace",
    id: "4bf92f3577b34da6a3ce929d0e0e4736",
  });
  expect(findId("echo")).toBeNull();
});
