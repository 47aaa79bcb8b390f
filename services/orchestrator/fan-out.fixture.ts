/** The live stream's own way from an entry of the ledger to its clients, without a database: a program that the benchmark calls. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { toStreamCursor } from "@signalbox/common/cursor.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { answerCalls } from "@signalbox/testing/calls.ts";
import type { LogStreamClient } from "./clients/log-stream.ts";
import { toTaskPart } from "./frame.ts";
import { buildHub } from "./loops/hub.ts";
import { buildStreams } from "./loops/streams.ts";
import { toOutgoing, toWebSocketMessage } from "./outgoing.ts";
import { buildSockets } from "./routes/sockets.ts";
import type { LedgerEntry } from "./store/rows.ts";
import type { Store } from "./store.ts";

/** More than this waits for a client that reads slowly, so that none falls behind and reads from a table that is not there. */
const maxPendingBytes = 262_144;

const { log } = buildLog({ service: "orchestrator", level: "fatal", format: "json", print: () => undefined });
const logs: LogStreamClient = { follow: () => neverAnything(), close: async () => undefined };
const hub = buildHub({ tail: { position: () => 0, started: Promise.resolve() }, logs, log });
const store = { readLedger: async () => [] } as unknown as Store;
const streams = buildStreams({ hub, store, logs, instance: "bench", version: "1" });
const credentials = { user: "bench", pass: "bench-bench-bench", internalKeys: ["bench-internal-key"] };
const sockets = buildSockets({ streams, credentials, allowedOrigins: [], log });
const server = createServer().on("upgrade", sockets.upgrade);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const stopping = new AbortController();
void hub.followLogs(stopping.signal);

/** All numbers of a run have as many digits, so that all frames are of one length. */
let seq = 1_000_000;

async function* neverAnything(): ReturnType<LogStreamClient["follow"]> {
  // Ends at once: nothing is logged here.
}

function toEntry(padding: string): LedgerEntry {
  seq++;
  const at = "2026-01-01T00:00:00.000Z";
  const id = uuidv7();
  const event = {
    id,
    taskId: id,
    kind: "created",
    actor: "person:bench",
    at,
    version: 1,
    data: { type: "echo" },
  } as const;
  const task = {
    ...{
      id,
      type: "echo",
      source: "api",
      status: "queued",
      version: 1,
      payload: { number: seq, padding },
      result: null,
    },
    ...{
      error: null,
      correlationId: null,
      traceId: "0".repeat(32),
      priority: 0,
      attempt: 0,
      maxAttempts: 3,
      runAt: at,
    },
    ...{ timeoutMs: 30_000, concurrencyKey: null, parentId: null, agent: null, userKey: null, waitingFor: null },
    ...{ approval: null, progress: null, createdAt: at, updatedAt: at, startedAt: null, finishedAt: null },
  } as LedgerEntry["task"];
  return { seq, event, task };
}

/** What makes a frame that long. */
function toPadding(frameBytes: number): string {
  const plain = toOutgoing(toTaskPart(toEntry("")), toStreamCursor({ task: seq, log: hub.position().log }));
  return "x".repeat(frameBytes - toWebSocketMessage(plain).length);
}

let entries: LedgerEntry[] = [];

answerCalls(
  {
    port: () => (server.address() as AddressInfo).port,
    /** What the next call publishes. */
    prepare(events: number, frameBytes: number) {
      const padding = toPadding(frameBytes);
      entries = Array.from({ length: events }, () => toEntry(padding));
    },
    /** All of them, so many in each turn of the event loop. */
    async publish(perTurn: number) {
      for (let at = 0; at < entries.length; at += perTurn) {
        hub.publishEvents(entries.slice(at, at + perTurn));
        do await turn();
        while (streams.mostPendingBytes() > maxPendingBytes);
      }
    },
  },
  async () => {
    stopping.abort();
    await sockets.close(100);
    server.close();
  },
);
