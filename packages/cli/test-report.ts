/** What is taken from vitest's JSON report. */
export type TestReport = { passed: number; failed: number; skipped: number };

export type Verdict = {
  /** `N passed, N failed`, alone on the last line. */
  line: string;
  exitCode: number;
  /** Why a run without a failed test has failed all the same. */
  remark: string | null;
};

/** Null when there is no report that can be read: the runner crashed before it wrote one. */
export function readReport(text: string | null): TestReport | null {
  if (text === null) return null;
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(text) as Record<string, unknown>;
    const counts = [numPassedTests, numFailedTests, numPendingTests].map(Number);
    const [passed = 0, failed = 0, skipped = 0] = counts;
    return counts.every(Number.isInteger) ? { passed, failed, skipped } : null;
  } catch {
    return null;
  }
}

/** Success is an exit code of 0 and a report with at least one test, all of them passed. */
export function judgeRun(exitCode: number, report: TestReport | null): Verdict {
  if (report === null) {
    return { line: "0 passed, 1 failed", exitCode: exitCode || 1, remark: "vitest ended without a report" };
  }
  const { passed, failed } = report;
  const line = `${passed} passed, ${failed} failed`;
  if (exitCode !== 0 || failed > 0) {
    const remark = failed === 0 ? "no test failed, but vitest did: an error outside the tests, shown above" : null;
    return { line, exitCode: exitCode || 1, remark };
  }
  if (passed === 0) return { line, exitCode: 1, remark: "no test ran" };
  return { line, exitCode: 0, remark: report.skipped > 0 ? `${report.skipped} tests were skipped` : null };
}
