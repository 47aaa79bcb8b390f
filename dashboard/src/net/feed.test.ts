import { expect, test } from "vitest";
import { toEvent, toLog, toTask } from "../../test/records.ts";
import { encodeBasic } from "./auth.ts";
import { parseConfig } from "./config.ts";
import { buildFeed, QUEUE_LIMIT } from "./feed.ts";
import type { Received } from "./frames.ts";
import { nextPhase, reconnectDelayMs } from "./stream-state.ts";
import { buildEventParser } from "./transport.ts";

const log = (): Received => ({ frame: { type: "log", cursor: "c", log: toLog() }, sizeBytes: 10 });
const task = (): Received => {
  const one = toTask();
  return { frame: { type: "task", cursor: "c", event: toEvent(one, "created"), task: one }, sizeBytes: 10 };
};

/** A feed whose drawn frames come when the test says so. */
function byHand() {
  const batches: (readonly Received[])[] = [];
  let flush: (() => void) | null = null;
  const feed = buildFeed(
    (batch) => batches.push(batch),
    (next) => (flush = next),
  );
  const draw = () => {
    const due = flush;
    flush = null;
    due?.();
    return flush !== null;
  };
  return { feed, batches, draw };
}

test("frames are applied once a drawn frame, in order", () => {
  const { feed, batches, draw } = byHand();
  const pushed = [log(), task(), log()];
  for (const one of pushed) feed.push(one);
  expect(batches).toEqual([]);
  draw();
  expect(batches).toEqual([pushed]);
});

test("too many queued: logs go and are counted where they stood, tasks stay", () => {
  const { feed, batches, draw } = byHand();
  const kept = [task(), task()];
  if (kept[0]) feed.push(kept[0]);
  for (let index = 0; index < QUEUE_LIMIT; index++) feed.push(log());
  if (kept[1]) feed.push(kept[1]);
  while (draw()) expect(feed.size()).toBeLessThan(QUEUE_LIMIT);
  expect(batches.flat()).toEqual([
    kept[0],
    { frame: { type: "gap", reason: "slow_tab", dropped: QUEUE_LIMIT }, sizeBytes: 0 },
    kept[1],
  ]);
});

test("a cleared feed applies nothing", () => {
  const { feed, batches, draw } = byHand();
  feed.push(log());
  feed.clear();
  draw();
  expect(batches).toEqual([]);
});

test("a refused sign-in is left only by a new one", () => {
  for (const event of ["hello", "lost", "network_lost", "caught_up", "fell_behind", "denied"] as const) {
    expect(nextPhase("unauthorised", event)).toBe("unauthorised");
  }
  expect(nextPhase("unauthorised", "open")).toBe("connecting");
});

test("the wait before the next connection grows to 30 s and is anything below it", () => {
  expect([1, 2, 3, 7, 50].map((failures) => reconnectDelayMs(failures, 1))).toEqual([
    500, 1_000, 2_000, 30_000, 30_000,
  ]);
  expect(reconnectDelayMs(5, 0)).toBe(0);
  expect(reconnectDelayMs(1, 0.5)).toBe(250);
});

test("names and passwords are UTF-8", () => {
  expect(encodeBasic({ user: "jürgen", pass: "密:ü" })).toBe(Buffer.from("jürgen:密:ü").toString("base64"));
});

test("a configuration keeps addresses and nothing else", () => {
  expect(
    parseConfig({ fleet: "f", services: { orchestrator: "http://a:1/", telegram: 3, evil: "javascript:1" } }),
  ).toEqual({
    fleet: "f",
    services: { orchestrator: "http://a:1" },
  });
  expect(parseConfig("x")).toBeNull();
});

test("server-sent events are cut at blank lines, wherever the chunks are cut", () => {
  const found: string[] = [];
  const parse = buildEventParser((data) => found.push(data));
  for (const chunk of [': heartbeat\n\nid: 1\ndata: {"a"', ":1}\n", "\ndata: one\ndata: two\r\n\r", "\n"]) parse(chunk);
  expect(found).toEqual(['{"a":1}', "one\ntwo"]);
});
