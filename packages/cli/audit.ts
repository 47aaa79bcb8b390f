import { spawn } from "node:child_process";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { judgeAudit } from "./audit-verdict.ts";

/*
 * `pnpm run audit`: known holes in what the fleet depends on. A registry that does not say, such as a mirror without that endpoint, is no
 * finding: it is told, and the check passes.
 */

function runAudit(): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const command = process.platform === "win32" ? "npx.cmd" : "npx";
    const child = spawn(command, ["--yes", "pnpm", "audit", "--prod", "--json"], {
      cwd: repositoryRoot,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (output += String(part)));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

const { code, output } = await runAudit();
const verdict = judgeAudit(code, output);
process.stdout.write(`${verdict.text}\n`);
process.exitCode = verdict.exitCode;
