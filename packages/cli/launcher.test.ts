import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";

const program = `
import { watchLauncher } from ${JSON.stringify(join(import.meta.dirname, "launcher.ts"))};
await watchLauncher(process.env, () => { console.log("gone"); process.exit(0); });
setTimeout(() => process.exit(0), 20_000);
console.log("watching");
`;

/** A program under a script that is called as the launcher is, with what it has printed so far. */
async function launched(name: string) {
  const folder = await temporaryFolder();
  const script = join(folder, name);
  await writeFile(join(folder, "program.ts"), program);
  await writeFile(script, `#!/bin/sh\n"$@" &\nwait\n`);
  await chmod(script, 0o755);
  const args = [process.execPath, join(folder, "program.ts")];
  const child = spawn(script, args, { env: { PATH: process.env.PATH, npm_lifecycle_event: "start" }, detached: true });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await eventually(() => output.includes("watching"));
  return { child, output: () => output };
}

test.concurrent("the end of the launcher is noticed by what it started", async () => {
  const { child, output } = await launched("npm");
  child.kill("SIGKILL");
  await eventually(() => output().includes("gone"));
  expect(output()).toBe("watching\ngone\n");
});

test.concurrent("the end of any other parent is nobody's wish to stop", async () => {
  const { child, output } = await launched("terminal");
  child.kill("SIGKILL");
  await once(child, "exit");
  // Twice the time in which a launcher's end is noticed.
  await expect(eventually(() => output().includes("gone"), { timeoutMs: 2_500 })).rejects.toThrow("did not come");
  process.kill(-(child.pid ?? 0), "SIGKILL");
});
