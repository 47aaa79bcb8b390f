import type { Frame } from "@signalbox/common/contracts/frame.ts";
import { parseFrame } from "./frames.ts";

/** Why a connection ended. `missing`: this way of connecting does not exist here (an older fleet has no `/stream`). */
export type Ending = "closed" | "unauthorised" | "missing";
export type Receiver = { onFrame: (frame: Frame, sizeBytes: number) => void; onEnd: (ending: Ending) => void };
export type Connection = { close: () => void };
export type Target = { base: string; token: string; since: string | null };

function toQuery(since: string | null): URLSearchParams {
  const query = new URLSearchParams({ types: "task,log" });
  if (since !== null) query.set("since", since);
  return query;
}

/** Hands a message on; one that cannot be read ends the connection, because what follows it cannot be trusted to be whole. */
function deliver(text: string, receiver: Receiver): boolean {
  let frame: Frame | null;
  try {
    frame = parseFrame(text);
  } catch {
    return false;
  }
  if (frame) receiver.onFrame(frame, text.length);
  return true;
}

export function openSocket({ base, token, since }: Target, receiver: Receiver): Connection {
  const query = toQuery(since);
  // A browser's socket cannot carry a header; the services keep this parameter out of every log.
  query.set("auth", token);
  const socket = new WebSocket(`${base.replace(/^http/, "ws")}/ws?${query}`);
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    socket.close();
    receiver.onEnd("closed");
  };
  socket.onmessage = ({ data }) => {
    if (!ended && !deliver(String(data), receiver)) end();
  };
  socket.onclose = end;
  return {
    close() {
      ended = true;
      socket.close();
    },
  };
}

/** Splits a byte stream into server-sent events and gives each event's `data`; comments and other fields are skipped. */
export function buildEventParser(onData: (data: string) => void): (chunk: string) => void {
  let buffer = "";
  let data: string[] = [];
  const take = (line: string) => {
    if (line === "") {
      if (data.length > 0) onData(data.join("\n"));
      data = [];
    } else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
  };
  return (chunk) => {
    const lines = (buffer + chunk).split(/\r?\n/);
    buffer = lines.pop() ?? "";
    for (const line of lines) take(line);
  };
}

async function readEvents(response: Response, receiver: Receiver, isEnded: () => boolean): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let whole = true;
  const parse = buildEventParser((data) => {
    if (!isEnded()) whole &&= deliver(data, receiver);
  });
  while (reader && whole && !isEnded()) {
    const { done, value } = await reader.read();
    if (done) break;
    parse(value);
  }
}

const endings: Partial<Record<number, Ending>> = { 401: "unauthorised", 404: "missing", 405: "missing" };

/** The same frames over plain HTTP, for networks that break sockets. `EventSource` cannot send a header, so it is `fetch`. */
export function openEvents({ base, token, since }: Target, receiver: Receiver): Connection {
  const controller = new AbortController();
  let ended = false;
  const end = (ending: Ending) => {
    if (ended) return;
    ended = true;
    controller.abort();
    receiver.onEnd(ending);
  };
  const headers = { Authorization: `Basic ${token}`, Accept: "text/event-stream" };
  const run = async () => {
    const response = await fetch(`${base}/stream?${toQuery(since)}`, {
      headers,
      signal: controller.signal,
      credentials: "omit",
      cache: "no-store",
    });
    if (response.ok) await readEvents(response, receiver, () => ended);
    end(endings[response.status] ?? "closed");
  };
  run().catch(() => end("closed"));
  return {
    close() {
      ended = true;
      controller.abort();
    },
  };
}
