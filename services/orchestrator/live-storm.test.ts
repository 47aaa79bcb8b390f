import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { basic, type Orchestrator, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";
import { openStream, readLedger } from "./stream-client.fixture.ts";

/** A client that loses its connection again and again, and goes on from its last cursor, at any orchestrator. */
async function storm(pick: () => Orchestrator, reconnects: number, isOver: () => boolean) {
  const shown: string[] = [];
  let cursor: string | null = null;
  for (let at = 0; at < reconnects || !isOver(); at++) {
    using client = openStream(pick(), `?types=task${cursor === null ? "" : `&since=${cursor}`}`);
    const first = await client.hello();
    cursor ??= first.cursor;
    await Promise.race([
      eventually(() => client.shown().length >= 4).catch(() => undefined),
      pause(Math.random() * 60),
    ]);
    shown.push(...client.shown());
    cursor = client.cursor();
  }
  return { shown, cursor };
}

test("clients that reconnect fifty times while 300 events are made, now here and now there, see each event once, in order", async () => {
  await using box = await startOrchestrator();
  await using other = await startOrchestrator({ database: box.database });
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  const both = [box, other];
  const pick = () => both[Math.floor(Math.random() * 2)] ?? box;
  using steady = openStream(other);
  await steady.hello();
  const from = await readLedger(box);
  let left = 100;
  const posting = (async () => {
    while (left > 0) {
      await pick().post({ type: "work", ...(left % 3 === 0 && { concurrencyKey: "k" }) });
      left--;
    }
  })();
  const clients = await Promise.all(Array.from({ length: 4 }, () => storm(pick, 50, () => left === 0)));
  await posting;
  await eventually(async () => (await readLedger(box)).length >= 300, { what: "300 events" });
  const ledger = (await readLedger(box)).slice(from.length);
  await eventually(() => steady.shown().length >= ledger.length, { what: "the steady client's frames" });
  expect(steady.shown()).toEqual(ledger);
  for (const { shown, cursor } of clients) {
    using last = openStream(box, `?types=task&since=${cursor}`);
    const seen = () => [...shown, ...last.shown()];
    // A client that began in the middle has not seen what was before it; from its first event on it has seen all.
    await eventually(() => seen().at(-1) === ledger.at(-1), { what: "the last event" });
    const begun = ledger.indexOf(seen()[0] ?? "");
    expect(seen()).toEqual(ledger.slice(begun));
    expect(begun).toBeLessThan(30);
  }
});

test("two orchestrators show the same frames in the same order, whoever made the task", async () => {
  await using box = await startOrchestrator();
  await using other = await startOrchestrator({ database: box.database });
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  using here = openStream(box);
  using there = openStream(other);
  await Promise.all([here.hello(), there.hello()]);
  await Promise.all(
    Array.from({ length: 60 }, (_, at) => (at % 2 ? box : other).post({ type: "work", concurrencyKey: `k${at % 4}` })),
  );
  await eventually(() => here.shown().length >= 180 && there.shown().length >= 180, { what: "all frames on both" });
  expect(here.shown()).toEqual(await readLedger(box));
  expect(there.frames.slice(1)).toEqual(here.frames.slice(1));
});

test("a client that stops reading costs a megabyte and a frame at the most, and no other client anything", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  using slow = openStream(box);
  using fast = openStream(box);
  await Promise.all([slow.hello(), fast.hello()]);
  slow.socket.pause();
  const payload = "x".repeat(300_000);
  let most = 0;
  for (let at = 1; at <= 45; at++) {
    await box.post({ type: "work", runAt: "2199-01-01T00:00:00Z", payload });
    await eventually(() => fast.shown().length === at, { everyMs: 2, what: "the fast client's frame" });
    if (at % 5 === 0) most = Math.max(most, await readGauge(box, "signalbox_stream_pending_bytes"));
  }
  // 13 MB were made; a kernel keeps a few of them for the slow one.
  expect(most).toBeGreaterThan(300_000);
  expect(most).toBeLessThan(1_048_576 + 400_000);
  slow.socket.resume();
  await eventually(() => slow.shown().length === 45, { what: "what was missed" });
  expect(slow.shown()).toEqual(fast.shown());
});

async function readGauge(box: Orchestrator, name: string): Promise<number> {
  const response = await fetch(`${box.url}/metrics`, { headers: { authorization: basic } });
  const line = new RegExp(`^${name}(?:\\{.*\\})? (.*)$`, "m").exec(await response.text());
  return Number(line?.[1]);
}

test("a client of a filter is resumed past what it did not want", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const runAt = "2199-01-01T00:00:00Z";
  using client = openStream(box, "?types=task&correlationId=mine");
  await client.hello();
  for (let at = 0; at < 50; at++) await box.post({ type: "work", runAt, correlationId: at === 25 ? "mine" : "theirs" });
  await eventually(() => client.shown().length === 1, { what: "the one frame" });
  const cursor = client.cursor();
  client.socket.terminate();
  for (let at = 0; at < 5; at++) await box.post({ type: "work", runAt, correlationId: "mine" });
  using again = openStream(box, `?types=task&correlationId=mine&since=${cursor}`);
  await eventually(() => again.shown().length === 5, { what: "what was missed" });
  expect([...client.shown(), ...again.shown()]).toHaveLength(6);
});

test("a stopping orchestrator tells its clients to come back, and they lose nothing", async () => {
  await using box = await startOrchestrator();
  await using other = await startOrchestrator({ database: box.database });
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  using client = openStream(box);
  await client.hello();
  await box.post({ type: "work", runAt: "2199-01-01T00:00:00Z" });
  await eventually(() => client.shown().length === 1, { what: "a frame" });
  await box.stop();
  expect(await client.closed).toBe(1001);
  await other.post({ type: "work", runAt: "2199-01-01T00:00:00Z" });
  using again = openStream(other, `?types=task&since=${client.cursor()}`);
  await eventually(() => again.shown().length === 1, { what: "what was missed" });
  expect([...client.shown(), ...again.shown()]).toEqual(await readLedger(other));
});
