import { buildLog } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { expect, test } from "vitest";
import type { LogItem, LogStreamClient } from "../clients/log-stream.ts";
import { toTaskPart } from "../frame.ts";
import type { LedgerEntry, LedgerStep } from "../store/rows.ts";
import { buildHub } from "./hub.ts";
import { Subscriber } from "./subscriber.ts";

const logs: LogStreamClient = {
  follow: () => {
    throw new Error("no logs here");
  },
  close: async () => undefined,
};
const { log } = buildLog({ service: "test", level: "fatal", format: "json", print: () => undefined });

const stepOf = (seq: number): LedgerStep => ({
  seq,
  taskId: "t",
  kind: "completed",
  type: "work",
  status: "completed",
  attempt: 1,
  atMs: 2,
  runAtMs: 0,
  startedMs: 1,
});
const entryOf = (seq: number) =>
  ({
    seq,
    event: { id: `event ${seq}`, taskId: "t", kind: "completed", at: "2026-01-01T00:00:00.000Z" },
    task: {
      id: "t",
      type: "work",
      status: "completed",
      attempt: 1,
      runAt: "2026-01-01T00:00:00.000Z",
      startedAt: null,
    },
  }) as unknown as LedgerEntry;

function buildBox() {
  const hub = buildHub({ tail: { position: () => 10, started: Promise.resolve() }, logs, log });
  const frames: string[] = [];
  const end = new AbortController();
  const sink = {
    send: (frame: { text: string }) => void frames.push(frame.text),
    pendingBytes: () => 0,
    close: () => undefined,
  };
  const readParts = async ({ after, upTo }: { after: number; upTo: number }) =>
    Array.from({ length: upTo - after }, (_, at) => toTaskPart(entryOf(after + at + 1)));
  return {
    hub,
    shown: () => frames.map((text) => JSON.parse(text).event.id),
    follow() {
      const sources = { position: hub.position, readParts, logs };
      const filter = { types: { task: true, log: false } };
      const subscriber = new Subscriber({ filter, since: null, sink, sources, signal: end.signal });
      hub.subscribe(subscriber);
      subscriber.start();
    },
    [Symbol.dispose]: () => end.abort(),
  };
}

test("a client that comes while a page without tasks is on its way reads them itself, once and in order", async () => {
  using box = buildBox();
  const isFollowedBefore = box.hub.isFollowed();
  box.follow();
  box.hub.publishEvents([stepOf(11), stepOf(12)]);
  await expect.poll(box.shown).toEqual(["event 11", "event 12"]);
  box.hub.publishEvents([entryOf(13)]);
  expect(box.shown()).toEqual(["event 11", "event 12", "event 13"]);
  expect([isFollowedBefore, box.hub.isFollowed()]).toEqual([false, true]);
});

/** A log stream that says one thing after the other, each when the test says so, and a client that wants the log. */
function buildLogBox() {
  const items: LogItem[] = [];
  const asked: (number | null)[] = [];
  const following: LogStreamClient = {
    async *follow({ after, signal }) {
      asked.push(after);
      while (!signal.aborted) {
        const item = items.shift();
        if (item) yield item;
        else await rest(5, signal);
      }
    },
    close: async () => undefined,
  };
  const hub = buildHub({ tail: { position: () => 10, started: Promise.resolve() }, logs: following, log });
  const frames: string[] = [];
  const end = new AbortController();
  void hub.followLogs(end.signal);
  const sink = {
    send: ({ text }: { text: string }) => {
      const frame = JSON.parse(text);
      frames.push(frame.log ?? frame.type);
    },
    pendingBytes: () => 0,
    close: () => undefined,
  };
  const sources = { position: hub.position, readParts: async () => [], logs: following };
  return {
    hub,
    frames,
    say: (...said: LogItem[]) => void items.push(...said),
    follow() {
      const filter = { types: { task: false, log: true } };
      const subscriber = new Subscriber({ filter, since: null, sink, sources, signal: end.signal });
      hub.subscribe(subscriber);
      subscriber.start();
    },
    [Symbol.dispose]: () => end.abort(),
  };
}

const logOf = (seq: number) => ({ kind: "log", seq, log: {}, text: `"log ${seq}"` }) as unknown as LogItem;

test("a log that was restored goes on with its lower numbers after a gap", async () => {
  using box = buildLogBox();
  box.say({ kind: "position", seq: 50 });
  await expect.poll(() => box.hub.position().log).toBe(50);
  box.follow();
  box.say(logOf(51), { kind: "gap" }, { kind: "position", seq: 7 }, logOf(8));
  await expect.poll(() => box.frames).toEqual(["log 51", "gap", "log 8"]);
  expect(box.hub.position().log).toBe(8);
});

test("records that retention dropped are a gap before the next one", async () => {
  using box = buildLogBox();
  box.say({ kind: "position", seq: 50 });
  await expect.poll(() => box.hub.position().log).toBe(50);
  box.follow();
  box.say({ kind: "gap" }, logOf(90), logOf(91));
  await expect.poll(() => box.frames).toEqual(["gap", "log 90", "log 91"]);
});

test("who came before the log's position was known is told that something may be missing", async () => {
  using box = buildLogBox();
  box.follow();
  box.say({ kind: "position", seq: 5 }, logOf(6));
  await expect.poll(() => box.frames).toEqual(["gap", "log 6"]);
});

test("a step says the same whether it was read with its task or without", () => {
  using box = buildBox();
  const steps: LedgerStep[] = [];
  box.hub.onStep((step) => void steps.push(step));
  box.hub.publishEvents([stepOf(11)]);
  box.hub.publishEvents([entryOf(12)]);
  expect(steps.map(({ seq, kind, status, attempt }) => [seq, kind, status, attempt])).toEqual([
    [11, "completed", "completed", 1],
    [12, "completed", "completed", 1],
  ]);
});
