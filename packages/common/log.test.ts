import { expect, test } from "vitest";
import { buildLog, harmless, type LogOptions } from "./log.ts";
import { newTrace, withTrace } from "./trace.ts";
import { uuidTime } from "./uuid.ts";

type Line = Record<string, unknown> & { data?: Record<string, unknown> };

/** A log that prints into a list. */
function listen(options: Partial<LogOptions> = {}) {
  const texts: string[] = [];
  const print = (text: string) => void texts.push(text);
  const { log } = buildLog({ service: "test", level: "info", format: "json", print, ...options });
  return { log, texts, last: () => JSON.parse(texts.at(-1) ?? "null") as Line };
}

test.concurrent("a line is a log record of the contract", () => {
  const { log, last } = listen({ runId: "run-1" });
  log.info({ durationMs: 3, service: "not me" }, "task %s done", "a");
  expect(last()).toEqual({
    level: "info",
    id: expect.any(String),
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    service: "test",
    runId: "run-1",
    message: "task a done",
    data: { durationMs: 3, service: "not me" },
  });
});

test.concurrent("the id carries the very time of the record", () => {
  const { log, texts } = listen();
  // More in a millisecond than a uuid's counter holds.
  for (let at = 0; at < 10_000; at++) log.info("x");
  const lines = texts.map((text) => JSON.parse(text) as Line);
  expect(lines.filter(({ id, at }) => uuidTime(String(id)) !== Date.parse(String(at)))).toEqual([]);
  const ids = lines.map(({ id }) => String(id));
  expect(ids).toEqual([...ids].sort());
});

test.concurrent("bindings of a child stand at the top", () => {
  const { log, last } = listen();
  log.child({ taskId: "t", taskType: "echo" }).child({ attempt: 2 }).warn("x");
  expect(last()).toMatchObject({ level: "warn", taskId: "t", taskType: "echo", attempt: 2 });
});

test.concurrent("the ambient trace is added, and a child's own wins over it", () => {
  const { log, texts, last } = listen();
  const trace = { ...newTrace(), correlationId: 'c"1', taskId: "t1" };
  withTrace(trace, () => log.info("x"));
  expect(last()).toMatchObject({ traceId: trace.traceId, correlationId: 'c"1', taskId: "t1" });

  withTrace(trace, () => log.child({ traceId: "mine" }).info("x"));
  expect(last()).toMatchObject({ traceId: "mine", taskId: "t1" });
  expect(texts.at(-1)?.match(/"traceId"/g)).toHaveLength(1);
});

test.concurrent("an error is its name, message, code, stack and causes", () => {
  const { log, last } = listen();
  const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED", request: { secretPlan: 1 } });
  log.error(new TypeError("no luck", { cause }));
  expect(last()).toMatchObject({ level: "error", message: "no luck" });
  expect(last().data?.err).toEqual({
    name: "TypeError",
    message: "no luck",
    stack: expect.stringContaining("log.test.ts"),
    cause: { name: "Error", message: "refused", code: "ECONNREFUSED", stack: expect.any(String) },
  });

  log.warn({ reason: cause, error: new AggregateError([cause], "") }, "x");
  expect(last().data).toMatchObject({
    reason: { code: "ECONNREFUSED" },
    error: { errors: [{ code: "ECONNREFUSED" }] },
  });
});

test.concurrent("a chain of causes that bites its tail ends", () => {
  const { log, last } = listen();
  const error = new Error("round");
  error.cause = error;
  log.error(error);
  expect(last().message).toBe("round");
});

test.concurrent("secrets never reach a line, wherever they stand", () => {
  const { log, texts } = listen();
  const secret = "hunter2-canary";
  log.info({ password: secret, url: `postgres://a:${secret}@db/x` }, `token=${secret}`);
  log.child({ authorization: `Basic ${secret}` }).info("x");
  log.error(new Error(`cannot reach https://a:${secret}@host/`, { cause: new Error(`Bearer ${secret}1`) }));
  expect(texts.join("")).not.toContain(secret);
});

test.concurrent("whatever is logged, a line comes out", () => {
  const { log, texts, last } = listen();
  const circle: Record<string, unknown> = { big: 10n };
  circle.self = circle;
  log.info(circle, "circle");
  log.info(
    {
      bad: {
        toJSON: () => {
          throw new Error("no");
        },
      },
    },
    "throwing",
  );
  log.info({ bad: Symbol("x"), fn: () => 1 }, "odd");
  log.info({ n: 1 });
  log.info(undefined as unknown as string);
  expect(texts.map((text) => JSON.parse(text).message)).toEqual(["circle", "throwing", "odd", "", ""]);
  expect(last().level).toBe("info");
});

test.concurrent("what PostgreSQL cannot hold is replaced", () => {
  const { log, last } = listen();
  log.info({ "k\u0000": ["a\u0000b", "\ud800", "\u{1f600}", "\\u0000"] }, "m\u0000");
  expect(last()).toMatchObject({
    message: "m\ufffd",
    data: { "k\ufffd": ["a\ufffdb", "\ufffd", "\u{1f600}", "\\u0000"] },
  });
});

test.concurrent("endless records are cut and say so", () => {
  const { log, texts, last } = listen();
  log.info({ list: Array.from({ length: 100_000 }, () => "abcdefghij") }, "x".repeat(100_000));
  expect(texts.at(-1)?.length).toBeLessThan(100_000);
  expect(last()).toMatchObject({ service: "test", data: { cut: { length: 1_300_010 } } });
});

test.concurrent("data deeper than the store takes is cut, brackets in texts are not depth", () => {
  const { log, last } = listen();
  let deep: unknown = "end";
  for (let level = 0; level < 100; level++) deep = [deep];
  log.info({ deep }, "x");
  expect(last().data).toHaveProperty("cut");
  log.info({ text: "[".repeat(1_000) }, "x");
  expect(last().data).not.toHaveProperty("cut");
});

test.concurrent("levels below the chosen one are not written", () => {
  const { log, texts } = listen({ level: "warn" });
  log.info("x");
  log.error("y");
  expect(texts).toHaveLength(1);
});

test.concurrent("pretty is for people: no colours without a terminal, the stack in lines", () => {
  const { log, texts } = listen({ format: "pretty" });
  log.info({ taskType: "echo" }, "started");
  expect(texts[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: test: started \{"taskType":"echo"\}\n$/);
  log.error(new Error("broken"));
  expect(texts[1]).toMatch(/ERROR: test: broken[\s\S]*\n\s+at /);
});

test.concurrent("what is ours alone is not searched for secrets; with anything from outside beside it, it is", () => {
  const { log, last, texts } = listen();
  const token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
  log.info(harmless({ password: "shown" }), "ours");
  expect(last().data).toEqual({ password: "shown" });
  expect(texts).toEqual([expect.stringMatching(/^\{.*\}\n$/)]);
  log.info({ password: "hidden" }, "the next line");
  expect(last().data).not.toEqual({ password: "hidden" });
  withTrace({ ...newTrace(), correlationId: token }, () => log.info(harmless({ password: "hidden" }), "ours"));
  expect(JSON.stringify(last())).not.toMatch(/hidden|ghp_/);
});
