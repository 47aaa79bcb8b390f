import fc from "fast-check";
import { expect, test } from "vitest";
import type { Answer } from "./answer.ts";
import { begin, type Circuit, judgeHealth, newCircuit, record, toState } from "./circuit.ts";

type Outcome = "ok" | "failed" | "unknown";

function play(outcomes: readonly Outcome[], from: Circuit = newCircuit, now = 0): Circuit {
  return outcomes.reduce((circuit, outcome) => record(circuit, { isProbe: false, outcome, now }), from);
}

function probe(circuit: Circuit, outcome: Outcome, now: number): Circuit {
  const entered = begin(circuit, now);
  expect(entered.isProbe).toBe(true);
  return record(entered.circuit, { isProbe: true, outcome, now });
}

const times = (count: number, outcome: Outcome): Outcome[] => Array.from({ length: count }, () => outcome);

test("five failures in a row open it, four do not, and what says nothing counts for nothing", () => {
  expect(toState(play(times(4, "failed")), 0)).toBe("closed");
  expect(toState(play([...times(4, "failed"), "ok", ...times(4, "failed")]), 0)).toBe("closed");
  expect(toState(play([...times(4, "failed"), "unknown", "failed"]), 0)).toBe("open");
});

test("half of the last twenty open it too, but not half of fewer", () => {
  const mixed = Array.from({ length: 20 }, (_, at): Outcome => (at % 2 === 0 ? "failed" : "ok"));
  expect(toState(play(mixed.slice(0, 19)), 0)).toBe("closed");
  expect(toState(play(mixed), 0)).toBe("open");
});

test("after ten seconds one run tries it, and its success closes it", () => {
  const open = play(times(5, "failed"));
  expect(toState(open, 9_999)).toBe("open");
  expect(toState(open, 10_000)).toBe("half_open");
  const entered = begin(open, 10_000).circuit;
  expect(toState(entered, 10_000)).toBe("open");
  expect(toState(probe(open, "ok", 10_000), 10_000)).toBe("closed");
});

test("a probe that fails opens it for twice as long, up to two minutes; one that says nothing leaves room for another", () => {
  let circuit = play(times(5, "failed"));
  const open: number[] = [];
  for (let at = 0; at < 6; at++) {
    const until = circuit.until ?? 0;
    circuit = probe(circuit, "failed", until);
    open.push((circuit.until ?? 0) - until);
  }
  expect(open).toEqual([20_000, 40_000, 80_000, 120_000, 120_000, 120_000]);
  const until = circuit.until ?? 0;
  expect(toState(probe(circuit, "unknown", until), until)).toBe("half_open");
});

test("runs that began before it was opened neither close it nor hold it open for longer", () => {
  const open = play(times(5, "failed"));
  expect(play(["ok", "failed", "ok", "ok"], open, 5_000)).toEqual(open);
});

test("whatever happens, it is never open for more than two minutes and has one probe at the most", () => {
  const step = fc.record({ outcome: fc.constantFrom<Outcome>("ok", "failed", "unknown"), waitMs: fc.nat(60_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let [circuit, now] = [newCircuit, 0];
      for (const { outcome, waitMs } of steps) {
        now += waitMs;
        const entered = begin(circuit, now);
        if (entered.isProbe) expect(begin(entered.circuit, now).isProbe).toBe(false);
        circuit = record(entered.circuit, { isProbe: entered.isProbe, outcome, now });
        expect((circuit.until ?? now) - now).toBeLessThanOrEqual(120_000);
        expect(circuit.recent.length).toBeLessThanOrEqual(20);
      }
    }),
  );
});

const answered = (status: number, body: unknown = null): Answer => ({
  kind: "answered",
  status,
  body,
  retryAfterMs: 0,
});

test.each<[string, Answer, Outcome]>([
  ["a result", answered(200, { result: null }), "ok"],
  ["a question", answered(200, { waiting: { for: "input" } }), "ok"],
  ["200 without either", answered(200, { ok: true }), "failed"],
  ["later", answered(202), "ok"],
  ["a final refusal", answered(422), "ok"],
  ["too many requests", answered(429), "ok"],
  ["a refusal in the one error shape", answered(503, { error: { code: "busy", message: "later" } }), "ok"],
  ["a bare 503", answered(503), "failed"],
  ["an internal error", answered(500, { error: { code: "internal", message: "oh" } }), "failed"],
  ["a redirect", answered(302), "ok"],
  ["silence", { kind: "timeout", afterMs: 1_000 }, "failed"],
  ["an impatient caller", { kind: "timeout", afterMs: 999 }, "unknown"],
  ["nobody there", { kind: "unreachable", message: "refused", isAbsent: true }, "failed"],
  ["rubbish", { kind: "rubbish", message: "not JSON" }, "failed"],
])("%s", (_what, answer, outcome) => expect(judgeHealth(answer)).toBe(outcome));
