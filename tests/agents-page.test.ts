import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";

const hasPython = (() => {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
const env = {
  BASIC_AUTH_USER: "operator",
  BASIC_AUTH_PASS: "a-test-password",
  INTERNAL_KEY: "the-internal-key",
  LOGGING_URL: "http://127.0.0.1:9",
  LOG_LEVEL: "fatal",
};
const authorization = `Basic ${btoa("operator:a-test-password")}`;

async function pythonOfPage(): Promise<string> {
  const page = await readFile(join(repositoryRoot, "docs/agents.md"), "utf8");
  return /```python\n([\s\S]+?)```/.exec(page)?.[1] ?? "";
}

test("the agent in Python is whole in about thirty lines", async () => {
  const lines = (await pythonOfPage()).split("\n").filter((line) => line.trim() !== "");
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.length).toBeLessThanOrEqual(32);
});

test.runIf(hasPython)(
  "the agent in Python, as docs/agents.md has it, runs a task (without python3 it is skipped)",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "signalbox-python-"));
    await writeFile(join(folder, "reverser.py"), await pythonOfPage());
    await using database = await freshDatabase();
    await using orchestrator = await startService({
      main: "services/orchestrator/main.ts",
      env: { ...env, DATABASE_URL: database.url },
    });
    const ask = async (path: string, body?: object) => {
      const response = await fetch(orchestrator.url + path, {
        headers: { authorization, "content-type": "application/json" },
        ...(body && { method: "POST", body: JSON.stringify(body) }),
      });
      return (await response.json()) as Record<string, unknown> & { items?: unknown[] };
    };
    const agent = spawn("python3", [join(folder, "reverser.py")], {
      env: { PATH: process.env.PATH, INTERNAL_KEY: env.INTERNAL_KEY, ORCHESTRATOR_URL: orchestrator.url },
      stdio: "ignore",
    });
    try {
      await eventually(async () => (await ask("/agents")).items?.length === 1, {
        timeoutMs: 30_000,
        what: "its heartbeat",
      });
      const made = await ask("/task", { type: "text.reverse", payload: { text: "live" } });
      const ended = await eventually(
        async () => {
          const task = await ask(`/task/${made.id}`);
          return task.status === "completed" && task;
        },
        { timeoutMs: 30_000, what: "the end of its task" },
      );
      expect(ended.result).toEqual({ text: "evil", attempt: 1 });
      expect(await ask("/task", { type: "text.reverse", payload: {} })).toMatchObject({
        error: { code: "invalid_request" },
      });
    } finally {
      agent.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    }
  },
);
