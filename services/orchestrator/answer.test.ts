import fc from "fast-check";
import { expect, test } from "vitest";
import { type Answer, judgeAnswer } from "./answer.ts";

const first = { number: 1, max: 3 };
const last = { number: 3, max: 3 };
const answered = (status: number, body: unknown, retryAfterMs = 0): Answer => ({
  kind: "answered",
  status,
  body,
  retryAfterMs,
});

test.each([[{ a: 1 }], [[]], ["text"], [0], [false], [null], [""]])(
  "200 with the result %j ends the task with it",
  (result) => {
    expect(judgeAnswer(answered(200, { result }), first, 0)).toEqual({ kind: "complete", result });
  },
);

test("a result wins over a wish to wait", () => {
  const body = { result: 1, waiting: { for: "input", prompt: "?" } };
  expect(judgeAnswer(answered(200, body), first, 0)).toEqual({ kind: "complete", result: 1 });
});

test.each(["input", "approval"] as const)("200 may park the task for %s, with or without a prompt", (what) => {
  const park = (waiting: unknown) => judgeAnswer(answered(200, { waiting }), first, 0);
  expect(park({ for: what, prompt: "which?" })).toEqual({ kind: "park", for: what, prompt: "which?" });
  expect(park({ for: what })).toEqual({ kind: "park", for: what, prompt: null });
  expect(park({ for: what, prompt: 7 })).toEqual({ kind: "park", for: what, prompt: null });
});

test.each([
  [null],
  [[]],
  ["result"],
  [{}],
  [{ ok: true }],
  [{ waiting: {} }],
  [{ waiting: { for: "godot" } }],
  [{ waiting: null }],
])("200 with %j is no answer and is tried again", (body) => {
  expect(judgeAnswer(answered(200, body), first, 0)).toMatchObject({ kind: "retry", error: { code: "bad_answer" } });
});

test("202 defers, whatever its body", () => {
  expect(judgeAnswer(answered(202, { result: 1 }), last, 0)).toEqual({ kind: "defer" });
});

test("every status has the one verdict that the contract gives it", () => {
  const triedAgain = new Set([408, 409, 425, 429]);
  for (let status = 100; status < 600; status++) {
    if (status === 200 || status === 202) continue;
    const isFinal = status >= 400 && status < 500 && !triedAgain.has(status);
    const verdict = judgeAnswer(answered(status, null), first, 0);
    expect([status, verdict.kind]).toEqual([status, isFinal ? "fail" : "retry"]);
    expect(verdict).toMatchObject({ error: { code: `agent_${status}`, retryable: !isFinal, details: { status } } });
  }
});

test("the agent's own code, message and details are kept beside its status", () => {
  const body = { error: { code: "no_such_order", message: "order 9 is unknown", details: [{ order: 9 }] } };
  expect(judgeAnswer(answered(422, body), first, 0)).toEqual({
    kind: "fail",
    error: {
      code: "no_such_order",
      message: "order 9 is unknown",
      retryable: false,
      details: { status: 422, said: [{ order: 9 }] },
    },
  });
});

test.each([
  [{ error: "busy" }],
  [{ error: { code: 7, message: {} } }],
  [{ error: { code: "", message: "" } }],
  ["busy"],
])("an error of another shape (%j) gets a code and a message of ours", (body) => {
  expect(judgeAnswer(answered(503, body), first, 0)).toMatchObject({
    error: { code: "agent_503", message: "the agent answered 503" },
  });
});

test.each<[Answer, string, string]>([
  [{ kind: "unreachable", message: "other side closed", isAbsent: false }, "agent_unreachable", "other side closed"],
  [{ kind: "timeout", afterMs: 30_000 }, "agent_timeout", "30000 ms"],
  [{ kind: "rubbish", message: "more than 1048576 bytes" }, "bad_answer", "1048576"],
])("%j is tried again, then fails with its code and what was tried", (answer, code, said) => {
  const retry = judgeAnswer(answer, first, 0.5);
  expect(retry).toMatchObject({ kind: "retry", delayMs: 500, error: { code, retryable: true } });
  const fail = judgeAnswer(answer, last, 0.5);
  expect(fail).toMatchObject({ kind: "fail", error: { code, details: { attempt: 3, maxAttempts: 3 } } });
  if (fail.kind === "fail") expect(fail.error.message).toContain(said);
});

test("while nobody listens, a retry leaves the time that a restart takes", () => {
  const absent: Answer = { kind: "unreachable", message: "connect ECONNREFUSED", isAbsent: true };
  const delays = [0, 0.5, 0.999].map((draw) => judgeAnswer(absent, first, draw));
  expect(delays.map((verdict) => verdict.kind === "retry" && verdict.delayMs)).toEqual([4_000, 5_000, 5_998]);
  expect(judgeAnswer(absent, { number: 10, max: 11 }, 0.5)).toMatchObject({ kind: "retry", delayMs: 150_000 });
  expect(judgeAnswer(absent, last, 0)).toMatchObject({ kind: "fail", error: { code: "agent_unreachable" } });
});

test("Retry-After is the least delay, and counts nothing once attempts are used up", () => {
  expect(judgeAnswer(answered(429, null, 20_000), first, 0.5)).toMatchObject({ kind: "retry", delayMs: 20_000 });
  expect(judgeAnswer(answered(503, null, 20_000), last, 0.5)).toMatchObject({ kind: "fail" });
});

test("whatever an agent says can be stored: bounded, and no half of a surrogate pair", () => {
  const long = `${"x".repeat(99)}😀${"y".repeat(9_899)}😀😀`;
  const body = { error: { code: long, message: long }, waiting: { for: "input", prompt: long } };
  for (const status of [200, 400, 503]) {
    const verdict = judgeAnswer(answered(status, body), first, 0);
    const texts =
      verdict.kind === "park"
        ? [verdict.prompt]
        : "error" in verdict
          ? [verdict.error.code, verdict.error.message]
          : [];
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts) expect(text?.isWellFormed()).toBe(true);
    expect(texts.at(-1)?.length).toBeLessThanOrEqual(10_000);
  }
});

test("no answer throws, and none is without a verdict", () => {
  const anyAnswer = fc.record({
    kind: fc.constant("answered" as const),
    status: fc.integer({ min: 100, max: 599 }),
    body: fc.jsonValue(),
    retryAfterMs: fc.nat(),
  });
  fc.assert(
    fc.property(
      anyAnswer,
      fc.integer({ min: 1, max: 25 }),
      fc.double({ min: 0, max: 0.999 }),
      (answer, number, random) => {
        const verdict = judgeAnswer(answer, { number, max: 25 }, random);
        expect(["complete", "park", "defer", "retry", "fail"]).toContain(verdict.kind);
        if (verdict.kind === "retry") expect(number).toBeLessThan(25);
      },
    ),
  );
});
