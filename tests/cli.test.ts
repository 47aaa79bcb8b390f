import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "@signalbox/testing/eventually.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import type { RunningProcess } from "@signalbox/testing/service-process.ts";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type FleetPlace, fleetPlace, readFleetFile, runStart } from "./fleet.fixture.ts";

// Each call is a process of its own, and a test makes up to a dozen of them beside others on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000 });

let place: FleetPlace;
let fleet: RunningProcess;

beforeAll(async () => {
  place = await fleetPlace();
  fleet = runStart(place);
  await fleet.says(/Ready after/, 90_000);
}, 120_000);

afterAll(async () => {
  await fleet?.stop();
  await place?.[Symbol.asyncDispose]();
});

type Result = { code: number | null; out: string; err: string };

function start(
  words: string[],
  { env = {}, cwd = repositoryRoot }: { env?: Record<string, string>; cwd?: string } = {},
) {
  const main = join(repositoryRoot, "packages/cli/signalbox.ts");
  const own = { PATH: process.env.PATH ?? "", HOME: place.home, SIGNALBOX_HOME: place.home, ...env };
  return spawn(process.execPath, [main, ...words], { cwd, env: own, stdio: ["pipe", "pipe", "pipe"] });
}

function read(child: ChildProcess): Promise<Result> {
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk) => (out += chunk));
  child.stderr?.on("data", (chunk) => (err += chunk));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

function signalbox(words: string[], options: Parameters<typeof start>[1] & { input?: string } = {}): Promise<Result> {
  const child = start(words, options);
  child.stdin?.end(options.input ?? "");
  return read(child);
}

test.concurrent("ask prints exactly one document, with the answer", async () => {
  const { code, out } = await signalbox(["ask", "ping", "--json"]);
  expect(code).toBe(0);
  expect(out.trimEnd().split("\n")).toHaveLength(1);
  expect(JSON.parse(out)).toEqual({ run_id: expect.any(String), status: "succeeded", output: "ping" });
});

test.concurrent("ask reads stdin, and prints the answer alone for people and pipes", async () => {
  expect(await signalbox(["ask"], { input: "from a pipe\n" })).toMatchObject({ code: 0, out: "from a pipe\n" });
  expect(await signalbox(["ask", "-"], { input: "dash" })).toMatchObject({ code: 0, out: "dash\n" });
  expect(await signalbox(["ask", "--json"], { input: " " })).toMatchObject({ code: 2 });
});

test.concurrent("run shows progress on stderr and the result on stdout, and fails with the task", async () => {
  const slow = await signalbox(["run", "echo", '{"progressSteps":2,"delayMs":200}', "--json"]);
  expect(JSON.parse(slow.out)).toMatchObject({ status: "completed", source: "cli" });
  expect(slow.err).toContain("step 1 of 2");
  const failed = await signalbox(["run", "echo", '{"failPermanently":true}', "--json"]);
  expect(failed.code).toBe(1);
  expect(JSON.parse(failed.out)).toMatchObject({ status: "failed" });
});

test.concurrent("run takes its payload from a file beside the person and from stdin, and says where JSON is wrong", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-cli-"));
  await writeFile(join(folder, "payload.json"), '{"x":"file"}');
  const fromFile = await signalbox(["run", "echo", "@payload.json", "--json"], { cwd: folder });
  expect(JSON.parse(fromFile.out).payload).toEqual({ x: "file" });
  const fromInput = await signalbox(["run", "echo", "-", "--json"], { input: '{"x":"stdin"}' });
  expect(JSON.parse(fromInput.out).payload).toEqual({ x: "stdin" });
  expect(await signalbox(["run", "echo", "{x}", "--json"])).toMatchObject({ code: 2 });
  expect(await signalbox(["run", "echo", "@missing.json"])).toMatchObject({ code: 2 });
  await rm(folder, { recursive: true });
});

test.concurrent("an approval needs the version that was seen; a stale one is a conflict", async () => {
  const made = await signalbox(["run", "echo", "--approval", "costs money", "--no-wait", "--json"]);
  const { id } = JSON.parse(made.out);
  expect(await signalbox(["task", "approve", id])).toMatchObject({ code: 2 });
  expect(await signalbox(["task", "approve", id, "--if-version", "9", "--json"])).toMatchObject({ code: 5 });
  const approved = await signalbox(["task", "approve", id, "--if-version", "1", "--json"]);
  expect(JSON.parse(approved.out)).toMatchObject({ version: 2, approval: { decidedBy: "person:operator" } });
  const watched = await signalbox(["task", "watch", id, "--json"]);
  expect(watched.code).toBe(0);
  expect(JSON.parse(watched.out).status).toBe("completed");
  const again = await signalbox(["task", "retry", id, "--reason", "once more", "--json"]);
  expect(JSON.parse(again.out).status).toMatch(/queued|waiting/);
});

test.concurrent("a wait that is over leaves the task alone and says how to go on", async () => {
  const { code, out, err } = await signalbox(["run", "echo", '{"delayMs":20000}', "--wait", "1", "--json"]);
  expect(code).toBe(0);
  const { id } = JSON.parse(out);
  // On a busy machine a second may pass before its run begins; that it runs on is what counts.
  const isRunning = async () => JSON.parse((await signalbox(["task", "get", id, "--json"])).out).status === "running";
  await eventually(isRunning, { what: "the run, which nobody waits for any more" });
  expect(err).toContain(`signalbox task watch ${id}`);
  const canceled = await signalbox(["task", "cancel", id, "--reason", "enough", "--json"]);
  expect(JSON.parse(canceled.out).error).toMatchObject({ message: "enough" });
  expect(await signalbox(["task", "watch", id, "--json"])).toMatchObject({ code: 1 });
});

test.concurrent("watching a task that was run again follows the new run, not the end that is history", async () => {
  const made = await signalbox(["run", "echo", "--approval", "costs money", "--no-wait", "--json"]);
  const { id } = JSON.parse(made.out);
  await signalbox(["task", "reject", id, "--if-version", "1"]);
  await signalbox(["task", "retry", id]);
  const watching = start(["task", "watch", id, "--json"]);
  const result = read(watching);
  await new Promise((resolve) => watching.stderr?.once("data", resolve));
  await signalbox(["task", "approve", id, "--if-version", "3"]);
  const { code, out, err } = await result;
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ status: "completed" });
  expect(err.match(/waits for approval/g)).toHaveLength(1);
});

test.concurrent("a connection that breaks makes no second run: the same call is made again", async () => {
  const keys: unknown[] = [];
  const fleet = createServer((request, response) => {
    if (request.url?.startsWith("/v1/runs/"))
      return void response.end('{"run_id":"r","status":"succeeded","output":"pong"}');
    keys.push(request.headers["idempotency-key"]);
    if (keys.length === 1) return void request.socket.destroy();
    response.writeHead(202).end('{"run_id":"r"}');
  });
  await once(fleet.listen(0, "127.0.0.1"), "listening");
  const { port } = fleet.address() as AddressInfo;
  const env = { SIGNALBOX_URL: `http://127.0.0.1:${port}`, SIGNALBOX_USER: "a", SIGNALBOX_PASS: "b" };
  expect(await signalbox(["ask", "ping", "--no-wait"], { env })).toMatchObject({ code: 0, out: "pong\n" });
  expect(keys).toEqual([expect.stringMatching(/^cli:/), keys[0]]);
  fleet.close();
});

test.concurrent("what follows goes on after its cursor when the fleet was away, and says so once", async () => {
  const record = (id: string) =>
    JSON.stringify({ id, at: "2026-01-01T00:00:00.000Z", level: "info", service: "a", message: id });
  const asked: (string | null)[] = [];
  const fleet = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    if (pathname === "/logs") return void response.end('{"items":[],"nextCursor":null}');
    asked.push(searchParams.get("since"));
    if (asked.length === 2 || asked.length === 3) return void response.writeHead(503).end("{}");
    const id = asked.length === 1 ? "first" : "second";
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`id: cursor-of-${id}\ndata: ${record(id)}\n\n`, () => {
      if (id === "first") request.socket.destroy();
    });
  });
  await once(fleet.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(fleet.address() as AddressInfo).port}`;
  const env = { SIGNALBOX_URL: url, SIGNALBOX_LOGGING_URL: url, SIGNALBOX_USER: "a", SIGNALBOX_PASS: "b" };
  const following = start(["logs", "-f", "--json"], { env });
  let [out, err] = ["", ""];
  following.stderr?.on("data", (chunk) => (err += chunk));
  following.stdout?.on("data", (chunk) => (out += chunk));
  await eventually(() => out.includes("second"), { timeoutMs: 60_000, what: "the record after the break" });
  following.kill("SIGINT");
  expect(await once(following, "close")).toEqual([0, null]);
  expect(asked).toEqual([null, "cursor-of-first", "cursor-of-first", "cursor-of-first"]);
  expect(err.match(/the connection is lost/g)).toHaveLength(1);
  fleet.closeAllConnections();
  fleet.close();
});

test.concurrent("whoever stops reading has seen enough; a disk that is full has not got it", async () => {
  const run = (redirect: string) => {
    const main = join(repositoryRoot, "packages/cli/signalbox.ts");
    const env = { PATH: process.env.PATH ?? "", HOME: place.home, SIGNALBOX_HOME: place.home };
    const command = `"${process.execPath}" "${main}" logs --limit 1000 --json ${redirect}`;
    return promisify(execFile)("bash", ["-c", `set -o pipefail; ${command}`], { env }).then(
      () => 0,
      ({ code }: { code: number }) => code,
    );
  };
  expect(await run("| head -c 10")).toBe(0);
  if (existsSync("/dev/full")) expect(await run("> /dev/full")).toBe(1);
});

test.concurrent("linked into a PATH it is signalbox, on the Node of the repository, with the same exit codes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-cli-"));
  const link = join(folder, "signalbox");
  await symlink(join(repositoryRoot, "packages/cli/bin.js"), link);
  const linked = (...words: string[]) =>
    read(
      spawn(link, words, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder, SIGNALBOX_HOME: place.home } }),
    );
  await writeFile(join(folder, "payload.json"), '{"x":"here"}');
  const { code, out } = await linked("run", "echo", "@payload.json", "--json");
  expect({ code, payload: JSON.parse(out).payload }).toEqual({ code: 0, payload: { x: "here" } });
  expect(await linked("nonsense")).toMatchObject({ code: 2 });
  await rm(folder, { recursive: true });
});

test.concurrent("lists are tables for people and the service's own answer for scripts", async () => {
  for (const name of ["agents", "types", "schedules"]) {
    expect(JSON.parse((await signalbox([name, "--json"])).out).items).toEqual(expect.any(Array));
  }
  expect((await signalbox(["agents"])).out).toMatch(/^name +instance +state/);
  const list = await signalbox(["task", "list", "--limit", "2", "--status", "completed,failed", "--json"]);
  expect(JSON.parse(list.out)).toMatchObject({ items: expect.any(Array) });
  expect((await signalbox(["--json", "task", "list", "--since", "1s", "--type", "none"])).out).toMatch(
    /^\{"items":\[\]/,
  );
  expect((await signalbox(["task", "list", "--type", "none"])).out).toMatch(/^no task is like that/);
});

test.concurrent("logs of one trace, and followed while they come", async () => {
  const made = JSON.parse((await signalbox(["run", "echo", '{"x":1}', "--json"])).out);
  await eventually(async () => (await signalbox(["logs", "--trace", made.traceId])).out.includes("run finished"), {
    timeoutMs: 20_000,
    what: "the log of the run",
  });
  const child = start(["logs", "-f", "--service", "echo-agent", "--json"]);
  let out = "";
  child.stdout?.on("data", (chunk) => (out += chunk));
  const next = JSON.parse((await signalbox(["run", "echo", '{"x":2}', "--json"])).out);
  await eventually(() => out.includes(next.traceId), { timeoutMs: 20_000, what: "the live line" });
  child.kill("SIGINT");
  expect(await new Promise((resolve) => child.on("close", resolve))).not.toBeNull();
  const ids = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).id);
  expect(new Set(ids).size).toBe(ids.length);
});

test.concurrent("doctor looks at everything that runs", async () => {
  const { code, out } = await signalbox(["doctor", "--json"]);
  expect(code).toBe(0);
  const checks = JSON.parse(out).checks.map(({ check }: { check: string }) => check);
  const seen = ["node", "database", "schema", "fleet", "orchestrator", "logging", "echo-agent", "webhooks"];
  expect(checks).toEqual(expect.arrayContaining(seen));
  const { message } = JSON.parse(out).checks.find(({ check }: { check: string }) => check === "database");
  expect(message).toMatch(/^PostgreSQL \d+\.\d+ answers in [\d.]+ ms/);
  const nowhere = await signalbox(["doctor", "--json"], { env: { SIGNALBOX_HOME: join(place.home, "nowhere") } });
  expect(nowhere.code).toBe(3);
  expect(JSON.parse(nowhere.out).checks).toContainEqual(expect.objectContaining({ check: "ports" }));
});

test.concurrent("doctor names what is broken, and ends as a command on such a fleet would", async () => {
  const { services, databaseUrl } = await readFleetFile(place);
  const url = services.orchestrator?.url ?? "";
  const elsewhere = { SIGNALBOX_URL: url, SIGNALBOX_USER: "operator" };
  const killed = join(place.home, "killed");
  await mkdir(killed);
  const dead = { orchestrator: { url: "http://127.0.0.1:9", pid: 1, state: "running" } };
  await writeFile(join(killed, "fleet.json"), JSON.stringify({ services: dead, dashboard: {}, databaseUrl }));
  await writeFile(join(killed, "env"), "BASIC_AUTH_USER=a\nBASIC_AUTH_PASS=b\n");
  const cases: [Record<string, string>, number, string, RegExp][] = [
    [{ ...elsewhere, SIGNALBOX_PASS: "wrong" }, 4, "login", /refuses this login/],
    [
      { SIGNALBOX_URL: "http://127.0.0.1:9", SIGNALBOX_USER: "a", SIGNALBOX_PASS: "b" },
      3,
      "orchestrator",
      /does not answer/,
    ],
    [{ SIGNALBOX_URL: "nowhere" }, 2, "fleet", /SIGNALBOX_URL is "nowhere"/],
    [{ SIGNALBOX_HOME: killed }, 3, "fleet", /was killed; start it again/],
    [
      { ...elsewhere, SIGNALBOX_PASS: "wrong", DATABASE_URL: "postgres://a:b@127.0.0.1:9/x" },
      4,
      "database",
      /nothing listens/,
    ],
  ];
  for (const [env, code, check, message] of cases) {
    const result = await signalbox(["doctor", "--json"], { env });
    expect({ env, code: result.code }).toEqual({ env, code });
    const bad = JSON.parse(result.out).checks.filter(({ state }: { state: string }) => state === "bad");
    expect(bad).toContainEqual({ check, state: "bad", message: expect.stringMatching(message) });
  }
  const taken = { SIGNALBOX_HOME: join(place.home, "nowhere"), SIGNALBOX_PORT_BASE: String(place.portBase) };
  const { out } = await signalbox(["doctor", "--json"], { env: taken });
  expect(JSON.parse(out).checks).toContainEqual({
    ...{ check: "ports", state: "warn" },
    message: expect.stringMatching(/^port \d+, which \S+ needs, is in use/),
  });
});

test.concurrent("wrong logins, dead addresses, wrong words and unknown types have their codes and no stack", async () => {
  const { services } = await readFleetFile(place);
  const elsewhere = { SIGNALBOX_URL: services.orchestrator?.url ?? "", SIGNALBOX_USER: "operator" };
  const cases: [string[], Record<string, string>, number][] = [
    [["agents"], { SIGNALBOX_PASS: "wrong" }, 4],
    [["agents"], { ...elsewhere, SIGNALBOX_PASS: "wrong" }, 4],
    [["agents"], { SIGNALBOX_URL: "http://127.0.0.1:9", SIGNALBOX_USER: "a", SIGNALBOX_PASS: "b" }, 3],
    [["agents"], { SIGNALBOX_HOME: join(place.home, "nowhere") }, 3],
    [["nonsense"], {}, 2],
    [["agents", "--nonsense"], {}, 2],
    [["run", "no.such.type"], {}, 2],
    [["task", "get", "nonsense"], {}, 2],
    [["task", "fly", "x"], {}, 2],
    [["findings"], {}, 3],
    [[], {}, 2],
    [["task", "list", "--status", "done"], {}, 2],
    [["--help"], {}, 0],
    [["--version"], {}, 0],
    [["task", "--help"], {}, 0],
  ];
  for (const [words, env, code] of cases) {
    const result = await signalbox(words, { env });
    expect({ words, code: result.code }).toEqual({ words, code });
    expect(result.err).not.toMatch(/\n {4}at |node:internal/);
  }
  const asJson = await signalbox(["agents", "--json"], { env: { SIGNALBOX_PASS: "wrong" } });
  expect(JSON.parse(asJson.out)).toEqual({ error: { code: "unauthorized", message: expect.any(String) } });
});

test.concurrent("a user's own file is used when nobody else can read it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-cli-"));
  const { services } = await readFleetFile(place);
  await mkdir(join(folder, "signalbox"));
  const file = join(folder, "signalbox", "env");
  await writeFile(
    file,
    `SIGNALBOX_URL=${services.orchestrator?.url}\nSIGNALBOX_USER=operator\nSIGNALBOX_PASS=wrong\n`,
    { mode: 0o644 },
  );
  const nowhere = { XDG_CONFIG_HOME: folder, SIGNALBOX_HOME: join(folder, "no-fleet") };
  expect((await signalbox(["agents"], { env: nowhere })).err).toContain("chmod 600");
  await chmod(file, 0o600);
  expect(await signalbox(["agents"], { env: nowhere })).toMatchObject({
    code: 4,
    err: expect.stringContaining("refuses this login"),
  });
  await rm(folder, { recursive: true });
});

test.concurrent.each(["bash", "zsh", "fish"])("the completion of %s is a script that it understands", async (shell) => {
  const { code, out } = await signalbox(["completion", shell]);
  expect(code).toBe(0);
  for (const word of ["ask", "task", "approve", "--trace"]) expect(out).toContain(word);
  if (shell !== "bash") return;
  const complete = (...words: string[]) =>
    `COMP_WORDS=(signalbox ${words.join(" ")}); COMP_CWORD=${words.length}; _signalbox; echo "\${COMPREPLY[*]}"`;
  const script = [out, complete("ta"), complete("task", "ap"), complete("logs", "--tr"), complete("completion", "z")];
  const { stdout } = await promisify(execFile)("bash", ["--norc", "-euc", script.join("\n")]);
  expect(stdout.trimEnd().split("\n")).toEqual(["task", "approve", "--trace", "zsh"]);
});
