import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { buildOutput } from "./output.ts";

/** What is printed for one line of a service. */
function relayed(line: string, options: { raw?: boolean; isTTY?: boolean } = {}): string {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const terminal = Object.assign(stream, { isTTY: options.isTTY ?? false }) as unknown as NodeJS.WriteStream;
  buildOutput(terminal, options.raw ?? false).relay("echo-agent", line);
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

test("a log record is one readable line with its task and its data", () => {
  expect(relayed(record({ taskId: "t-1", traceId: null, data: { attempt: 2, outcome: "completed" } }))).toBe(
    "echo-agent      03:04:05.678 info  run task=t-1 attempt=2 outcome=completed\n",
  );
});

test("an error is told by what it says, without its stack", () => {
  const err = { name: "Error", message: "no answer", code: "ECONNREFUSED", stack: "Error: no answer\n    at x" };
  expect(relayed(record({ level: "warn", data: { err } }))).toBe(
    'echo-agent      03:04:05.678 warn  run err="no answer (ECONNREFUSED)"\n',
  );
});

test("what is not a record is passed on under the service's name", () => {
  expect(relayed("INTERNAL_KEY is required")).toBe("echo-agent      INTERNAL_KEY is required\n");
  expect(relayed('{"broken')).toBe('echo-agent      {"broken\n');
});

test("text from a payload cannot steer the terminal or begin a line", () => {
  const message = "a\u001b[2Jb\nsupervisor said\u009b31m";
  const line = relayed(record({ message, data: { note: message } }));
  expect(line.trimEnd()).not.toMatch(/\p{Cc}/u);
  expect(line.split("\n")).toHaveLength(2);
});

test("with LOG_FORMAT set, records pass untouched", () => {
  expect(relayed(record({}), { raw: true })).toBe(`${record({})}\n`);
  expect(relayed("plain text", { raw: true })).toBe("echo-agent      plain text\n");
});

test("colours are for terminals", () => {
  const styled = relayed(record({ level: "error" }), { isTTY: true });
  expect(styled).toContain("\u001b[31m");
  expect(relayed(record({ level: "error" }))).not.toContain("\u001b");
});
