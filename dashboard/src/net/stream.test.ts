import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ScriptedFleet } from "../../test/scripted-fleet.ts";
import { basic } from "../../test/scripted-service.ts";
import type { Received } from "./frames.ts";
import type { Verdict } from "./rest.ts";
import { Stream } from "./stream.ts";

let fleet: ScriptedFleet;
let stream: Stream | null = null;

beforeEach(async () => {
  fleet = new ScriptedFleet();
  await fleet.listen();
});

afterEach(async () => {
  stream?.stop();
  await fleet.close();
});

type Seen = { messages: string[]; gaps: number; fresh: number; denied: number };

function follow(change: { probe?: () => Promise<Verdict>; token?: () => string | null } = {}): Seen {
  const seen: Seen = { messages: [], gaps: 0, fresh: 0, denied: 0 };
  const apply = (batch: readonly Received[]) => {
    for (const { frame } of batch) {
      if (frame.type === "log") seen.messages.push(frame.log.message);
      if (frame.type === "gap") seen.gaps++;
    }
  };
  stream = new Stream({
    base: fleet.orchestrator.url,
    token: change.token ?? (() => basic),
    probe: change.probe ?? (() => Promise.resolve({ kind: "up" })),
    apply,
    onFresh: () => seen.fresh++,
    onDenied: () => seen.denied++,
    random: () => 0.02,
    schedule: (flush) => setImmediate(flush),
  });
  stream.start();
  return seen;
}

const until = <T>(check: () => T) => vi.waitFor(check, { timeout: 10_000, interval: 5 });
const phase = () => stream?.status.value.phase;

test("a lost connection resumes after what was applied: nothing is lost or doubled", async () => {
  const seen = follow();
  await until(() => expect(phase()).toBe("live"));
  for (let index = 0; index < 400; index++) {
    fleet.log({ message: String(index) });
    if (index % 100 === 50) fleet.dropSockets();
    if (index % 40 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => expect(seen.messages).toHaveLength(400));

  expect(seen.messages).toEqual(Array.from({ length: 400 }, (_, index) => String(index)));
  expect([seen.fresh, fleet.handshakes > 1]).toEqual([1, true]);
});

test("what the server no longer has is told as a gap", async () => {
  const seen = follow();
  await until(() => expect(phase()).toBe("live"));
  fleet.refuseSockets = true;
  fleet.dropSockets();
  fleet.log({ message: "missed" });
  fleet.forgetFrames();
  fleet.refuseSockets = false;

  await until(() => expect(seen.gaps).toBe(1));
  expect(seen.messages).toEqual([]);
});

test("a connection that says nothing for two heartbeats is given up", async () => {
  fleet.heartbeatMs = 300;
  follow();
  await until(() => expect(phase()).toBe("live"));

  await until(() => expect(fleet.handshakes).toBeGreaterThan(1));
});

test("a refused sign-in stops the retries until there is a new one", async () => {
  let token = "d3Jvbmc6d3Jvbmc=";
  const seen = follow({ token: () => token, probe: () => Promise.resolve({ kind: "unauthorised" }) });
  await until(() => expect(phase()).toBe("unauthorised"));
  expect([seen.denied, stream?.status.value.retryAtMs]).toEqual([1, null]);
  token = basic;
  stream?.start();

  await until(() => expect(phase()).toBe("live"));
});

test("why it is down is told while it is retried", async () => {
  fleet.refuseSockets = true;
  follow({ probe: () => Promise.resolve({ kind: "forbidden", message: "add it to WS_ALLOWED_ORIGINS" }) });

  await until(() => expect(stream?.status.value.problem).toBe("add it to WS_ALLOWED_ORIGINS"));
});

test("two sockets that fail lead to the same frames over plain HTTP", async () => {
  fleet.refuseSockets = true;
  const hello = { type: "hello", cursor: "7", heartbeatMs: 15_000, instance: "events", version: "1" };
  const log = { type: "log", cursor: "8", log: { message: "by events" } };
  fleet.orchestrator.server.prependListener("request", (request, response) => {
    if (!request.url?.startsWith("/stream")) return;
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    for (const frame of [hello, log]) response.write(`id: ${frame.cursor}\ndata: ${JSON.stringify(frame)}\n\n`);
    // The scripted service's own answer to this path is not wanted.
    response.writeHead = () => response;
    response.end = () => response;
  });
  const seen = follow();

  await until(() => expect(seen.messages).toEqual(["by events"]));
  expect(stream?.status.value).toMatchObject({ phase: "live", transport: "events" });
});

test("a fleet without plain events is asked for them once, then by sockets again", async () => {
  fleet.refuseSockets = true;
  follow();
  await until(() => expect(fleet.handshakes).toBeGreaterThan(4));
  expect(fleet.orchestrator.countOf("GET /stream")).toBe(1);
  fleet.refuseSockets = false;

  await until(() => expect(phase()).toBe("live"));
});
