import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { expect, test } from "vitest";
import { openKeeper } from "./keeper.ts";

type Stored = { id: string; level: string; service: string; message: string; data: Record<string, unknown> };

/** A logging service that takes everything, or is away, and a home. */
async function setUp(isAway = false) {
  const home = await mkdtemp(join(tmpdir(), "signalbox-keeper-"));
  const stored: Stored[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const lines = text.trim().split("\n");
    if (!isAway) stored.push(...lines.map((line) => JSON.parse(line) as Stored));
    response.writeHead(isAway ? 503 : 202).end(JSON.stringify({ accepted: lines.length, rejected: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const loggingUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    home,
    stored,
    keeper: openKeeper({ home, loggingUrl, internalKey: "the-key" }),
    file: (name: string) => readFile(join(home, "output", `${name}.log`), "utf8"),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(home, { recursive: true, force: true });
    },
  };
}

const record = (message: string) => JSON.stringify({ id: uuidv7(), level: "info", service: "a", message });
const of = { service: "a", pid: 7 };

test.concurrent("what is no record becomes one; lines that come together stay together, secrets are hidden", async () => {
  await using rig = await setUp();
  for (const line of ["Error: broken", "    at x (y.ts:1)"]) rig.keeper.keep({ ...of, stream: "stderr", line });
  rig.keeper.keep({ ...of, stream: "stdout", line: "PASSWORD=hunter2" });
  rig.keeper.keep({ ...of, stream: "stderr", line: "(node:7) Warning: old" });
  rig.keeper.keep({ ...of, stream: "stdout", line: record("its own") });
  rig.keeper.ended("a", 7, { code: 0, signal: null }, true);
  await rig.keeper.close();
  expect(rig.stored.map(({ level, message, data }) => [level, message, data.stream])).toEqual([
    ["error", "Error: broken\n    at x (y.ts:1)", "stderr"],
    ["info", "PASSWORD=[redacted]", "stdout"],
    ["warn", "(node:7) Warning: old", "stderr"],
  ]);
  expect(rig.stored.every(({ service, data }) => service === "a" && data.pid === 7)).toBe(true);
  expect(await rig.file("a")).toMatch(
    /^Error: broken\n {4}at x.*\nPASSWORD=\[redacted\]\n.*old\n\{"id".*its own"\}\n$/,
  );
});

test.concurrent("of a service that is killed the last records are delivered, and its end is told", async () => {
  await using rig = await setUp();
  const lines = Array.from({ length: 1_200 }, (_, n) => record(`line ${n}`));
  for (const line of lines) rig.keeper.keep({ ...of, stream: "stdout", line });
  rig.keeper.ended("a", 7, { code: null, signal: "SIGKILL" }, false);
  await rig.keeper.close();
  expect(rig.stored.slice(0, 1_000).map(({ message }) => message)).toEqual(
    Array.from({ length: 1_000 }, (_, n) => `line ${n + 200}`),
  );
  expect(rig.stored.at(-1)).toMatchObject({
    level: "warn",
    service: "supervisor",
    message: "a ended by itself",
    data: { service: "a", servicePid: 7, signal: "SIGKILL" },
  });
});

test.concurrent("while logging is away all of it waits on disk", async () => {
  await using rig = await setUp(true);
  rig.keeper.note("warn", "something");
  rig.keeper.keep({ ...of, stream: "stderr", line: "the last word" });
  rig.keeper.ended("a", 7, { code: 1, signal: null }, false);
  await rig.keeper.close();
  const spool = join(rig.home, "spool");
  const texts = await Promise.all((await readdir(spool)).map((name) => readFile(join(spool, name), "utf8")));
  expect(texts.join("")).toMatch(/something[\s\S]*the last word[\s\S]*a ended by itself/);
});
