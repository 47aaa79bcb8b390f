import { expect, test } from "vitest";
import { judgeRun, readReport } from "./test-report.ts";

const report = (passed: number, failed: number, skipped = 0) =>
  readReport(JSON.stringify({ numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped }));

test("all passed is success", () => {
  expect(judgeRun(0, report(12, 0))).toEqual({ line: "12 passed, 0 failed", exitCode: 0, remark: null });
});

test("a failed test keeps the runner's exit code", () => {
  expect(judgeRun(1, report(11, 1))).toEqual({ line: "11 passed, 1 failed", exitCode: 1, remark: null });
  expect(judgeRun(0, report(11, 1)).exitCode).toBe(1);
});

test("a runner that failed without a failed test has failed, and says so", () => {
  expect(judgeRun(130, report(12, 0))).toMatchObject({ line: "12 passed, 0 failed", exitCode: 130 });
  expect(judgeRun(1, report(12, 0)).remark).toContain("no test failed, but vitest did");
});

test("a run of no test is a failure", () => {
  expect(judgeRun(0, report(0, 0, 3))).toEqual({ line: "0 passed, 0 failed", exitCode: 1, remark: "no test ran" });
});

test.each([null, "", "{", "{}", '{"numPassedTests":"many"}'])(
  "a report of %j is a crash, whatever the exit code",
  (text) => {
    expect(judgeRun(0, readReport(text))).toMatchObject({ line: "0 passed, 1 failed", exitCode: 1 });
  },
);

test("skipped tests are told", () => {
  expect(judgeRun(0, report(5, 0, 2))).toEqual({
    line: "5 passed, 0 failed",
    exitCode: 0,
    remark: "2 tests were skipped",
  });
});
