import type { LogInput } from "@signalbox/common/contracts/log.ts";
import { expect, test } from "vitest";
import { buildErrorReports } from "./error-report.ts";

function setUp() {
  const sent: LogInput[] = [];
  const state = { nowMs: 0, isSignedIn: true };
  const { report } = buildErrorReports({
    send: async (record) => {
      sent.push(record);
      throw new Error("logging is away");
    },
    isSignedIn: () => state.isSignedIn,
    nowMs: () => state.nowMs,
    page: () => "/tasks",
  });
  return { sent, state, report };
}

test("an error is a record of the dashboard, with its stack and where it was", () => {
  const { sent, report } = setUp();
  const error = new TypeError("x is undefined");
  report(error);
  report("a text");
  expect(sent).toEqual([
    {
      level: "error",
      service: "dashboard",
      message: "TypeError: x is undefined",
      data: { page: "/tasks", stack: error.stack },
    },
    { level: "error", service: "dashboard", message: "a text", data: { page: "/tasks" } },
  ]);
});

test("the same error is told once in ten minutes, few are told in a minute, and the rest is counted", () => {
  const { sent, state, report } = setUp();
  for (let n = 0; n < 3; n++) report("same");
  for (let n = 0; n < 10; n++) report(`other ${n}`);
  expect(sent.map(({ message }) => message)).toEqual(["same", "other 0", "other 1", "other 2", "other 3"]);
  expect(sent[1]?.data).toEqual({ page: "/tasks", unsaid: 2 });
  state.nowMs = 60_000;
  report("same");
  report("new");
  expect(sent.at(-1)).toMatchObject({ message: "new", data: { unsaid: 7 } });
  state.nowMs = 600_000;
  report("same");
  expect(sent.at(-1)?.message).toBe("same");
});

test("without a password nothing is sent", () => {
  const { sent, state, report } = setUp();
  state.isSignedIn = false;
  report("before the sign-in");
  expect(sent).toEqual([]);
});
