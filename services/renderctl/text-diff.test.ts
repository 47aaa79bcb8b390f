import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { toUnifiedDiff } from "./text-diff.ts";

const lines = (count: number) => Array.from({ length: count }, (_, at) => `line ${at}\n`);
const changed = (edit: (all: string[]) => void) => {
  const all = lines(40);
  edit(all);
  return all.join("");
};

const cases: [string, string][] = [
  ["a\nb\nc\n", "a\nB\nc\n"],
  ["a\n", "a\nb\n"],
  ["a\nb\n", "b\n"],
  ["a\nb", "a\nb\nc"],
  ["a\n", ""],
  [changed(() => undefined), changed((all) => all.splice(5, 1))],
  [changed(() => undefined), changed((all) => all.splice(0, 2, "new\n"))],
  [
    changed(() => undefined),
    changed((all) => {
      all.splice(30, 0, "x\n", "y\n");
      all.splice(4, 3);
      all[10] = "z\n";
    }),
  ],
];

test("git makes the new text of the old one and the patch", () => {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-diff-"));
  try {
    for (const [before, after] of cases) {
      writeFileSync(join(folder, "file.yaml"), before);
      const input = toUnifiedDiff("file.yaml", before, after);
      execFileSync("git", ["apply", "-"], { cwd: folder, input, stdio: ["pipe", "pipe", "pipe"] });
      const now = after === "" ? "" : readFileSync(join(folder, "file.yaml"), "utf8");
      expect(now).toBe(after);
    }
    expect(toUnifiedDiff("file.yaml", "a\n", "a\n")).toBe("");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
