import { execFile } from "node:child_process";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { buildTextWriter } from "./text-writer.ts";

const run = promisify(execFile);

test("what is written in one turn of the event loop is one write, in its order", async () => {
  const written: string[] = [];
  const write = buildTextWriter({ write: (text) => written.push(text) });
  write("a\n");
  write("b\n");
  expect(written).toEqual([]);
  await nextTurn();
  write("c\n");
  await nextTurn();
  expect(written).toEqual(["a\nb\n", "c\n"]);
});

test("a turn that does not end holds only so much", () => {
  const written: string[] = [];
  const write = buildTextWriter({ write: (text) => written.push(text) });
  for (let line = 0; line < 1_000; line++) write("x".repeat(100));
  expect(written.length).toBeGreaterThan(0);
  expect(written.join("").length).toBeGreaterThan(60_000);
});

test("what waits when the process exits is still written", async () => {
  const module = JSON.stringify(join(import.meta.dirname, "text-writer.ts"));
  const script = `import { buildTextWriter } from ${module}; const write = buildTextWriter(process.stdout); write("last words"); process.exit(0);`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script]);
  expect(stdout).toBe("last words");
});
