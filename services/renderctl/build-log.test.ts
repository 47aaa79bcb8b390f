import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { classify } from "./build-log.ts";
import { planFix, type SiteSettings } from "./repair-fix.ts";

const folder = join(import.meta.dirname, "build-logs");
const names = readdirSync(folder).map((file) => file.replace(/\.txt$/, ""));

function read(name: string) {
  const [head = "", body = ""] = readFileSync(join(folder, `${name}.txt`), "utf8").split("\n---\n");
  const about = Object.fromEntries(
    head.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  const json = (text: string | undefined) => JSON.parse(text ?? "null");
  const failure = json(about.failure) as Record<string, unknown> | null;
  return {
    expected: { cause: about.cause, fix: json(about.fix) },
    failed: {
      status: about.status ?? "",
      lines: body.split("\n"),
      failure,
      hasNoMinutes: failure?.event === "pipeline_minutes_exhausted",
    },
    patient: {
      type: about.type as "static_site",
      live: json(about.live) as SiteSettings,
      blueprint: json(about.blueprint) as SiteSettings | null,
    },
  };
}

test("there are at least thirty logs, and half of them only look alike", () => {
  expect(names.length).toBeGreaterThanOrEqual(30);
  expect(names.filter((name) => name.startsWith("look-")).length * 2).toBeGreaterThanOrEqual(names.length);
});

test.each(names)("the build log %s", (name) => {
  const { expected, failed, patient } = read(name);
  const finding = classify(failed);
  expect({ cause: finding.cause, fix: planFix(finding, patient) }).toEqual(expected);
});

test("what cannot be explained brings its last thirty lines, and is not touched", () => {
  const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`);
  const finding = classify({ status: "build_failed", lines, failure: null, hasNoMinutes: false });
  expect(finding).toMatchObject({ cause: "unknown", evidence: lines.slice(20) });
});
