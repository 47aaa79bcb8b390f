#!/usr/bin/env node
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

/*
 * What `signalbox` is once it is linked into a PATH. It is plain JavaScript because the machine's own Node, 20 or later, reads it; the
 * program itself is TypeScript and runs on the Node that the repository has pinned.
 */
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const program = process.platform === "win32" ? "node.exe" : "node";
const own = at(`../../node_modules/node/bin/${program}`);
if (!existsSync(own)) {
  process.stderr.write(`signalbox: its own Node is missing; run "npx pnpm install" in ${at("../..")}\n`);
  process.exit(3);
}
const child = spawn(own, [at("signalbox.ts"), ...process.argv.slice(2)], {
  stdio: "inherit",
  // Paths count from where the person stands, whatever launcher is above.
  env: { ...process.env, INIT_CWD: process.cwd() },
});
// The terminal tells the child as well; it decides when to end.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("close", (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal ?? "SIGTERM"] ?? 0);
});
