import { buildLog } from "@signalbox/common/log.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import type { LogStreamClient } from "../clients/log-stream.ts";
import { openStore } from "../store.fixture.ts";
import { buildHub } from "./hub.ts";
import { buildStreams } from "./streams.ts";

const { log } = buildLog({ service: "test", level: "fatal", format: "json", print: () => undefined });
const logs: LogStreamClient = {
  follow: () => {
    throw new Error("no logs here");
  },
  close: async () => undefined,
};

test("who waits for the sources counts as a client, so that a crowd that comes at a start is bounded too", async () => {
  await using box = await openStore();
  const started = Promise.withResolvers<void>();
  const hub = buildHub({ tail: { position: () => 0, started: started.promise }, logs, log });
  const streams = buildStreams({ hub, store: box.store, logs, instance: "test", version: "1" });
  const end = new AbortController();
  const heard: string[] = [];
  const sink = {
    send: ({ text }: { text: string }) => void heard.push(text),
    pendingBytes: () => 0,
    close: () => undefined,
  };
  const filter = { types: { task: true, log: false } };
  const opened = [1, 2, 3].map(() => streams.open({ filter, since: null, sink, signal: end.signal }));
  expect([streams.count(), heard.length]).toEqual([3, 0]);
  await hub.followLogs(AbortSignal.timeout(1));
  started.resolve();
  await Promise.all(opened);
  await eventually(() => heard.length === 3, { what: "three hellos" });
  expect(streams.count()).toBe(3);
  end.abort();
  expect(streams.count()).toBe(0);
});
