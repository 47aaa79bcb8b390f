import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

test("a program behind it has a wrong wall clock, and dates that are otherwise dates", async () => {
  const program = `
    const made = new Date(), read = new Date(0), text = Date();
    console.log(JSON.stringify([Date.now(), made.getTime(), read.getTime(), made instanceof Date, Date.UTC(1970), typeof text]))`;
  const preload = join(import.meta.dirname, "clock-shift.ts");
  const env = { ...process.env, SIGNALBOX_CLOCK_SHIFT_MS: "3600000" };
  const { stdout } = await run(process.execPath, ["--import", preload, "--input-type=module", "-e", program], { env });
  const [now, made, ...rest] = JSON.parse(stdout) as number[];
  for (const at of [now, made]) expect(Math.abs((at ?? 0) - Date.now() - 3_600_000)).toBeLessThan(30_000);
  expect(rest).toEqual([0, true, 0, "string"]);
});
