/** What holds for every doorbell, whatever carries it; run for each by the test beside it. */
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import type { Doorbell } from "./doorbell.ts";

/** One carrier that several processes share. */
export type Exchange = {
  /** The doorbell of one process, not started yet; `errors` is what it complained of. */
  build(self: string): { bell: Doorbell; errors: unknown[]; end(): Promise<void> };
  /** Cuts the connections of all. */
  cut(): Promise<void>;
  /** How many processes listen. */
  listening(): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** The doorbell of one process, started, and what it heard since. */
export async function openBell(exchange: Exchange, self: string) {
  const { bell, errors, end } = exchange.build(self);
  const heard = { news: 0, other: 0 };
  bell.on("news", () => heard.news++);
  bell.on("other", () => heard.other++);
  await bell.start();
  // Once connected it calls everybody, for what was rung before.
  heard.news = 0;
  heard.other = 0;
  return {
    bell,
    heard,
    errors,
    async [Symbol.asyncDispose]() {
      await bell.stop();
      await end();
    },
  };
}

export function describeDoorbell(title: string, isThere: boolean, openExchange: () => Promise<Exchange>): void {
  const fact = test.runIf(isThere);

  fact(
    `${title}: a ring is heard here at once and elsewhere soon, on its own channel, once by whoever rang`,
    async () => {
      await using exchange = await openExchange();
      await using one = await openBell(exchange, "one");
      await using two = await openBell(exchange, "two");
      one.bell.ring("news");
      expect(one.heard).toEqual({ news: 1, other: 0 });
      await eventually(() => two.heard.news === 1, { what: "the ring" });
      two.bell.ring("news");
      await eventually(() => one.heard.news === 2, { what: "the ring back" });
      expect(one.heard).toEqual({ news: 2, other: 0 });
      expect(two.heard).toEqual({ news: 2, other: 0 });
      expect([...one.errors, ...two.errors]).toEqual([]);
    },
  );

  fact(`${title}: a thousand rings are few for others, and the last of them is heard`, async () => {
    await using exchange = await openExchange();
    await using one = await openBell(exchange, "one");
    await using two = await openBell(exchange, "two");
    for (let at = 0; at < 1_000; at++) one.bell.ring("news");
    expect(one.heard.news).toBe(1_000);
    await eventually(() => two.heard.news > 0, { what: "the rings" });
    one.bell.ring("news");
    await eventually(() => two.heard.news === 2, { what: "the last" });
  });

  fact(`${title}: a connection that is cut comes back, and calls everybody for what was missed`, async () => {
    await using exchange = await openExchange();
    await using one = await openBell(exchange, "one");
    await using two = await openBell(exchange, "two");
    await exchange.cut();
    await eventually(() => one.heard.news > 0 && two.heard.news > 0, { what: "the call for what was missed" });
    expect(await exchange.listening()).toBe(2);
    const before = two.heard.news;
    one.bell.ring("news");
    await eventually(() => two.heard.news > before, { what: "a new ring" });
  });

  fact(`${title}: one that is stopped while it connects leaves no connection behind`, async () => {
    await using exchange = await openExchange();
    const { bell, end } = exchange.build("brief");
    bell.on("news", () => undefined);
    const started = bell.start();
    await bell.stop();
    await started;
    await end();
    await eventually(async () => (await exchange.listening()) === 0, { timeoutMs: 3_000, what: "no listener" });
    bell.ring("news");
  });

  fact(`${title}: after its stop a ring is heard in its own process alone`, async () => {
    await using exchange = await openExchange();
    await using one = await openBell(exchange, "one");
    await using two = await openBell(exchange, "two");
    await one.bell.stop();
    one.bell.ring("news");
    expect(one.heard.news).toBe(1);
    two.bell.ring("other");
    await eventually(async () => (await exchange.listening()) === 1, { what: "one listener" });
    expect(two.heard).toEqual({ news: 0, other: 1 });
    expect(one.heard.other).toBe(0);
  });
}
