import { expect, test } from "vitest";
import { buildGate } from "./gate.ts";

test("no more than its places run at once, in the order that they came, also when some fail", async () => {
  const gate = buildGate(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const work = (index: number) => async () => {
    order.push(index);
    running++;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (index % 3 === 0) throw new Error("this one fails");
    return index;
  };
  const ended = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => gate(work(index))));
  expect(most).toBe(2);
  expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(ended.filter(({ status }) => status === "rejected")).toHaveLength(7);
  expect(await gate(async () => "free again")).toBe("free again");
});
