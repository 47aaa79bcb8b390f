import { expect, test } from "vitest";
import { DeadlineError, trackInFlight, withDeadline } from "./drain.ts";

test("idle waits for the last one that is under way", async () => {
  const inFlight = trackInFlight();
  const leave = [inFlight.enter(), inFlight.enter()];
  let isIdle = false;
  const idle = inFlight.idle().then(() => {
    isIdle = true;
  });
  leave[0]?.();
  await Promise.resolve();
  expect(isIdle).toBe(false);
  leave[1]?.();
  await idle;
  expect(inFlight.count).toBe(0);
});

test("ending twice counts once", () => {
  const inFlight = trackInFlight();
  const leave = inFlight.enter();
  inFlight.enter();
  leave();
  leave();
  expect(inFlight.count).toBe(1);
});

test("idle is at once when nothing is under way", async () => {
  await expect(trackInFlight().idle()).resolves.toBeUndefined();
});

test("a promise that is in time passes through, error or not", async () => {
  await expect(withDeadline(Promise.resolve(1), 1_000, "it")).resolves.toBe(1);
  await expect(withDeadline(Promise.reject(new Error("no")), 1_000, "it")).rejects.toThrow("no");
});

test("one that is late is given up with a name", async () => {
  const never = new Promise<never>(() => undefined);
  await expect(withDeadline(never, 5, "the flush")).rejects.toThrow(DeadlineError);
  await expect(withDeadline(never, 5, "the flush")).rejects.toThrow("the flush took longer than 5 ms");
});
