/**
 * Wakes loops in this process and, through PostgreSQL's NOTIFY, in every other one. It carries no data: whoever hears it looks
 * at the tables. A NOTIFY inside each write would serialise all commits, so it goes out beside them: the first at once, then
 * at most one in 20 ms a channel. Everything works without it, by polling.
 */
import pg from "pg";
import type { Pool } from "./sql.ts";

const coalesceMs = 20;
const reconnectMs = 1_000;

export type Doorbell = {
  /** Calls this process's listeners now, and the other processes' soon. */
  ring(channel: string): void;
  on(channel: string, listener: () => void): void;
  start(): Promise<void>;
  stop(): Promise<void>;
};

export type DoorbellOptions = { pool: Pool; url: string; name: string; self: string; onError(error: unknown): void };

export function buildDoorbell({ pool, url, name, self, onError }: DoorbellOptions): Doorbell {
  const listeners = new Map<string, (() => void)[]>();
  const pending = new Map<string, { again: boolean }>();
  let client: pg.Client | null = null;
  let stopped = false;
  let retry: NodeJS.Timeout | undefined;

  function call(channel: string): void {
    for (const listener of listeners.get(channel) ?? []) listener();
  }

  function notify(channel: string): void {
    const window = { again: false };
    pending.set(channel, window);
    // The sender's name lets it not wake itself a second time.
    pool.query("select pg_notify($1, $2)", [channel, self]).catch(onError);
    setTimeout(() => {
      pending.delete(channel);
      if (window.again && !stopped) notify(channel);
    }, coalesceMs).unref();
  }

  async function connect(): Promise<void> {
    const next = buildListener(url, name);
    next.on("notification", (message) => {
      if (message.payload !== self) call(message.channel);
    });
    next.on("error", onError);
    next.on("end", () => reconnect(next));
    await listenTo(next, listeners.keys(), onError);
    // Stopped while it connected.
    if (stopped) return next.end().catch(onError);
    client = next;
    // Whatever was rung while nobody listened.
    for (const channel of listeners.keys()) call(channel);
  }

  function reconnect(lost: pg.Client | null): void {
    if (stopped || (client !== null && client !== lost)) return;
    client = null;
    clearTimeout(retry);
    retry = setTimeout(() => void connect().catch(() => reconnect(null)), reconnectMs);
  }

  return {
    ring(channel) {
      call(channel);
      if (stopped) return;
      const window = pending.get(channel);
      if (window) window.again = true;
      else notify(channel);
    },
    on(channel, listener) {
      listeners.set(channel, [...(listeners.get(channel) ?? []), listener]);
    },
    start: () =>
      connect().catch((error) => {
        onError(error);
        reconnect(null);
      }),
    async stop() {
      stopped = true;
      clearTimeout(retry);
      await client?.end().catch(onError);
    },
  };
}

/** LISTEN has a connection to itself: one that also runs statements hears late. */
function buildListener(url: string, name: string): pg.Client {
  return new pg.Client({
    connectionString: url,
    application_name: `${name} listen`,
    connectionTimeoutMillis: 3_000,
    keepAlive: true,
  });
}

async function listenTo(
  client: pg.Client,
  channels: Iterable<string>,
  onError: (error: unknown) => void,
): Promise<void> {
  try {
    await client.connect();
    for (const channel of channels) await client.query(`listen "${channel}"`);
  } catch (error) {
    await client.end().catch(onError);
    throw error;
  }
}
