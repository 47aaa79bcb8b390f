import { expect, test } from "vitest";
import { restartDelayMs } from "./supervised-service.ts";

test("the pause before the next life doubles with each short one, and leaves room to be back within 15 s", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 100].map(restartDelayMs)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
});
