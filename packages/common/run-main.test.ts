import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";

/**
 * A real process with a `main.ts` of its own, because its end is what is tested.
 *
 * @param service the members of what `build` answers, as source text; `say` writes a line to stdout
 */
function run(service: string, env: Record<string, string> = { INTERNAL_KEY: "internal-key" }) {
  const source = `
    import { runMain } from "@signalbox/common/run-main.ts";
    import { defineSettings, serviceSettings } from "@signalbox/common/settings.ts";
    const { PORT, INTERNAL_KEY } = serviceSettings;
    const say = (text) => process.stdout.write(text + "\\n");
    const alive = setInterval(() => undefined, 1000);
    await runMain(defineSettings("test", { PORT, INTERNAL_KEY }), process.env, async (settings) => (${service}));
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", source], {
    cwd: import.meta.dirname,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error("the child has no pipes");
  const output = { out: "", err: "" };
  stdout.on("data", (chunk) => {
    output.out += chunk;
  });
  stderr.on("data", (chunk) => {
    output.err += chunk;
  });
  // Not the event "close": it never comes after `disconnect`.
  const ends = [once(child, "exit"), once(stdout, "close"), once(stderr, "close")] as const;
  const closed = Promise.all(ends).then(([[code]]) => code as number | null);
  return {
    child,
    stdout,
    output,
    closed,
    async said(text: string) {
      await eventually(() => output.out.includes(text), { what: text });
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await closed;
    },
  };
}

function isGone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

const patient = `{ start: async () => say("started"), stop: async () => say("stopped") }`;

test("a bad environment ends with 1 and every bad key on stderr, without values", async () => {
  await using process = run(patient, { PORT: "hunter2", INTERNAL_KEY: "abc" });
  expect(await process.closed).toBe(1);
  expect(process.output.err).toMatch(/PORT must be integer/);
  expect(process.output.err).toMatch(/INTERNAL_KEY must NOT have fewer than 8 characters/);
  expect(process.output.err).not.toMatch(/hunter2|abc/);
  expect(process.output.out).not.toContain("started");
});

test.each(["SIGTERM", "SIGINT"] as const)("%s stops the service and ends with 0", async (signal) => {
  await using process = run(patient);
  await process.said("started");
  process.child.kill(signal);
  expect(await process.closed).toBe(0);
  expect(process.output.out).toContain("stopped");
});

const slowToStop = `{
  start: async () => say("started"),
  stop: async () => {
    say("stopping");
    await new Promise((resolve) => process.on("message", resolve));
    say("stopped");
  },
}`;

test("a wish to stop that arrives twice is one wish", async () => {
  await using process = run(slowToStop);
  await process.said("started");
  process.child.kill("SIGINT");
  await process.said("stopping");
  process.child.kill("SIGTERM");
  process.child.send("go on");
  expect(await process.closed).toBe(0);
  expect(process.output.out).toContain("stopped");
});

test("a later signal ends a service that does not stop", async () => {
  const stuck = `{
    start: async () => say("started"),
    stop: () => {
      const { now } = performance;
      performance.now = () => now.call(performance) + 10_000;
      say("stopping");
      return new Promise(() => undefined);
    },
  }`;
  await using process = run(stuck);
  await process.said("started");
  process.child.kill("SIGTERM");
  await process.said("stopping");
  process.child.kill("SIGTERM");
  expect(await process.closed).toBe(1);
});

test("the end of the supervisor is the end of the service", async () => {
  await using process = run(patient);
  await process.said("started");
  process.child.disconnect();
  expect(await process.closed).toBe(0);
  expect(process.output.out).toContain("stopped");
});

test.each([
  ["a rejection that nobody handles", "void Promise.reject(new Error('lost'))"],
  ["an exception outside any request", "setImmediate(() => { throw new Error('lost'); })"],
  ["a failing start", "await Promise.reject(new Error('lost'))"],
])("%s is logged as fatal, flushed, and ends with 1", async (_what, failure) => {
  await using process = run(`{
    start: async () => { ${failure}; },
    stop: async () => say("stopped"),
    logs: { log: { fatal: ({ err }) => say("fatal " + err.message) }, flush: async () => say("flushed") },
  }`);
  expect(await process.closed).toBe(1);
  expect(process.output.out.trim().split("\n")).toEqual(["fatal lost", "flushed"]);
});

test("without a log the cause goes to stderr", async () => {
  await using process = run(`{ start: () => Promise.reject(new Error("no port")), stop: async () => undefined }`);
  expect(await process.closed).toBe(1);
  expect(process.output.err).toContain("no port");
});

test("a flush that hangs does not keep a crashed process alive", async () => {
  await using process = run(`{
    start: () => Promise.reject(new Error("lost")),
    stop: async () => undefined,
    logs: { log: { fatal: () => undefined }, flush: () => new Promise(() => undefined) },
  }`);
  expect(await process.closed).toBe(1);
});

test("a reader of stdout that dies takes nobody with it", async () => {
  await using process = run(`{
    start: async () => {
      say("started");
      process.on("message", () => { say("into the void"); setImmediate(() => process.send("alive")); });
    },
    stop: async () => undefined,
  }`);
  await process.said("started");
  process.stdout.destroy();
  for (let round = 0; round < 3; round++) {
    const answered = once(process.child, "message");
    process.child.send("write");
    expect((await answered)[0]).toBe("alive");
  }
  expect(isGone(process.child)).toBe(false);
  process.child.kill("SIGTERM");
  expect(await process.closed).toBe(0);
});
