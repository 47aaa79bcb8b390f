import { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { buildOutput } from "./output.ts";

/** What is printed for one line of a service. */
async function relayed(line: string, options: { raw?: boolean; isTTY?: boolean } = {}): Promise<string> {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const terminal = Object.assign(stream, { isTTY: options.isTTY ?? false }) as unknown as NodeJS.WriteStream;
  buildOutput(terminal, options.raw ?? false).relay("echo-agent", line);
  // Lines are written at the end of the turn in which they are said.
  await nextTurn();
  return text;
}

const record = (more: object) =>
  JSON.stringify({
    id: "x",
    at: "2026-01-02T03:04:05.678Z",
    level: "info",
    service: "echo-agent",
    message: "run",
    ...more,
  });

test("a log record is one readable line with its task and its data", async () => {
  expect(await relayed(record({ taskId: "t-1", traceId: null, data: { attempt: 2, outcome: "completed" } }))).toBe(
    "echo-agent      03:04:05.678 info  run task=t-1 attempt=2 outcome=completed\n",
  );
});

test("an error is told by what it says, without its stack", async () => {
  const err = { name: "Error", message: "no answer", code: "ECONNREFUSED", stack: "Error: no answer\n    at x" };
  expect(await relayed(record({ level: "warn", data: { err } }))).toBe(
    'echo-agent      03:04:05.678 warn  run err="no answer (ECONNREFUSED)"\n',
  );
});

test("what is not a record is passed on under the service's name", async () => {
  expect(await relayed("INTERNAL_KEY is required")).toBe("echo-agent      INTERNAL_KEY is required\n");
  expect(await relayed('{"broken')).toBe('echo-agent      {"broken\n');
});

test("text from a payload cannot steer the terminal or begin a line", async () => {
  const message = "a\u001b[2Jb\nsupervisor said\u009b31m";
  const line = await relayed(record({ message, data: { note: message } }));
  expect(line.trimEnd()).not.toMatch(/\p{Cc}/u);
  expect(line.split("\n")).toHaveLength(2);
});

test("with LOG_FORMAT set, records pass untouched", async () => {
  expect(await relayed(record({}), { raw: true })).toBe(`${record({})}\n`);
  expect(await relayed("plain text", { raw: true })).toBe("echo-agent      plain text\n");
});

test("colours are for terminals", async () => {
  const styled = await relayed(record({ level: "error" }), { isTTY: true });
  expect(styled).toContain("\u001b[31m");
  expect(await relayed(record({ level: "error" }))).not.toContain("\u001b");
});
