import { expect, test } from "vitest";
import { classify } from "./build-log.ts";
import { names, readCase } from "./build-logs.fixture.ts";
import { planFix } from "./repair-fix.ts";

test("there are at least thirty logs, and half of them only look alike", () => {
  expect(names.length).toBeGreaterThanOrEqual(30);
  expect(names.filter((name) => name.startsWith("look-")).length * 2).toBeGreaterThanOrEqual(names.length);
});

test.each(names)("the build log %s", (name) => {
  const { expected, failed, patient } = readCase(name);
  const finding = classify(failed);
  expect({ cause: finding.cause, fix: planFix(finding, patient) }).toEqual(expected);
});

test("what cannot be explained brings its last thirty lines, and is not touched", () => {
  const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`);
  const finding = classify({ status: "build_failed", lines, failure: null, hasNoMinutes: false });
  expect(finding).toMatchObject({ cause: "unknown", evidence: lines.slice(20) });
});
