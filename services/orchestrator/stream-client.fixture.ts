/** A client of the live stream that keeps every frame it gets; for tests only. */
import type { Frame } from "@signalbox/common/contracts/frame.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { WebSocket } from "ws";
import { basic, type Orchestrator } from "./orchestrator.fixture.ts";

export function openStream(box: Orchestrator, query = "?types=task") {
  const url = `${box.url.replace("http", "ws")}/ws${query}`;
  const socket = new WebSocket(url, { headers: { authorization: basic } });
  const frames: Frame[] = [];
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  socket.on("message", (data) => frames.push(JSON.parse(String(data))));
  socket.on("error", () => undefined);
  return {
    socket,
    frames,
    /** The code it was closed with. */
    closed,
    hello: () => eventually(() => frames.find((frame) => frame.type === "hello"), { what: "hello" }),
    /** Each task frame as `<task> <version> <kind>`. */
    shown: () => frames.flatMap(toShown),
    cursor: () => frames.at(-1)?.cursor ?? null,
    [Symbol.dispose]: () => socket.terminate(),
  };
}

function toShown(frame: Frame): string[] {
  return frame.type === "task" ? [`${frame.event.taskId} ${frame.event.version} ${frame.event.kind}`] : [];
}

/** What the ledger holds, as frames should have shown it, from the given number on. */
export async function readLedger(box: Orchestrator, after = 0): Promise<string[]> {
  const { rows } = await box.database.pool.query(
    "select task_id, version, kind from task_events where seq > $1 order by seq",
    [after],
  );
  return rows.map((row) => `${row.task_id} ${row.version} ${row.kind}`);
}
