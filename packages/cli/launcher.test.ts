import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";
import { isLauncher } from "./launcher.ts";

const program = `
import { Socket } from "node:net";
import { watchLauncher } from ${JSON.stringify(join(import.meta.dirname, "launcher.ts"))};
await watchLauncher(process.env, () => { console.log("gone"); process.exit(0); });
// Lives as long as the test holds the other end, whoever its parent is.
new Socket({ fd: 3 }).on("end", () => process.exit(0)).resume();
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
  const child = spawn(script, args, {
    env: { PATH: process.env.PATH, npm_lifecycle_event: "start" },
    stdio: ["ignore", "pipe", "inherit", "pipe"],
  });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await eventually(() => output.includes("watching"));
  return {
    output: () => output,
    async endLauncher() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
    [Symbol.dispose]: () => void child.stdio[3]?.destroy(),
  };
}

test.each([
  "npm exec pnpm start",
  "npx pnpm start",
  "node /usr/bin/npx --yes pnpm start",
  "/usr/bin/node --no-warnings /usr/lib/node_modules/npm/bin/npm-cli.js start",
  "pnpm start",
  "/srv/me/.npm/_npx/0a1b/node_modules/.bin/pnpm start",
  "node /usr/lib/node_modules/corepack/dist/pnpm.js start",
])("%s is a launcher", (command) => {
  expect(isLauncher(command)).toBe(true);
});

test.each([
  "bash -c cd signalbox; npx pnpm start & sleep 20",
  "sh -c 'pnpm' start",
  "timeout 60 npx pnpm start",
  "python3 watch.py npx pnpm start",
  "node /srv/npm/run.ts",
  "",
])("%j is none, whatever it names", (command) => {
  expect(isLauncher(command)).toBe(false);
});

test.concurrent("the end of the launcher is noticed by what it started", async () => {
  using program = await launched("npm");
  await program.endLauncher();
  await eventually(() => program.output().includes("gone"));
  expect(program.output()).toBe("watching\ngone\n");
});

test.concurrent("the end of any other parent is nobody's wish to stop", async () => {
  using program = await launched("terminal");
  await program.endLauncher();
  // Begun later and noticed: by then the end of the other, too, would have been.
  using witness = await launched("npm");
  await witness.endLauncher();
  await eventually(() => witness.output().includes("gone"));
  expect(program.output()).toBe("watching\n");
});
