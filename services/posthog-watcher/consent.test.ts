import type { TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import { type Consented, findRefusal } from "./consent.ts";

const type = "posthog.flag.set";
const terms: Consented = { type, mode: "execute", allow: [type], isStopped: false, isReversal: false };

function task(actor: string, decidedBy: string | null = null) {
  const approval = { reason: null, prompt: null, requestedBy: null, expiresAt: null, decidedBy, decidedAt: null };
  const events = [{ kind: "created", actor }] as TaskWithEvents["events"];
  return { events, approval: decidedBy === null ? null : approval };
}

test.each(["observe", "propose"] as const)(
  "in mode %s only what a person approved or asked for is carried out",
  (mode) => {
    for (const actor of ["service:internal", "agent:x", "schedule:nightly", "webhook:github"]) {
      expect(findRefusal(task(actor), { ...terms, mode })).toContain(`in mode ${mode}`);
      expect(findRefusal(task(actor, "person:operator"), { ...terms, mode })).toBeNull();
    }
    expect(findRefusal(task("person:operator"), { ...terms, mode })).toBeNull();
    expect(findRefusal(task("telegram:77"), { ...terms, mode })).toBeNull();
  },
);

test("in mode execute the list counts, and the brake stops all but a reversal", () => {
  const unasked = task("service:internal");
  expect(findRefusal(unasked, terms)).toBeNull();
  expect(findRefusal(unasked, { ...terms, allow: [] })).toContain("not carried out without");
  expect(findRefusal(unasked, { ...terms, isStopped: true })).toContain("unasked any more");
  expect(findRefusal(unasked, { ...terms, isStopped: true, isReversal: true })).toBeNull();
  expect(findRefusal(task("service:internal", "person:operator"), { ...terms, isStopped: true })).toBeNull();
});

test("a task whose beginning nobody knows has no consent", () => {
  expect(findRefusal({ events: [], approval: null }, { ...terms, mode: "propose" })).not.toBeNull();
});

test("a note is left unasked when the watcher may do more than observe", () => {
  const unasked = task("service:internal");
  const note = { ...terms, type: "posthog.annotate", allow: [] };
  expect(findRefusal(unasked, { ...note, mode: "observe" })).toContain("in mode observe");
  expect(findRefusal(task("person:operator"), { ...note, mode: "observe" })).toBeNull();
  for (const mode of ["propose", "execute"] as const) expect(findRefusal(unasked, { ...note, mode })).toBeNull();
});
