/**
 * Wakes loops in this process and, through PostgreSQL's NOTIFY, in every other one. It carries no data: whoever hears it looks
 * at the tables. A NOTIFY inside each write would serialise all commits, so it goes out beside them, at most once in 20 ms for
 * whatever was rung. Everything works without it, by polling.
 */
import pg from "pg";
import { buildRinging } from "./ringing.ts";
import { exec, type Pool, sql } from "./sql.ts";

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
  // The sender's name lets it not wake itself a second time.
  const ringing = buildRinging((channels) => {
    exec(pool, sql`select pg_notify(channel, ${self}) from unnest(${channels}::text[]) channel`).catch(onError);
  });
  let client: pg.Client | null = null;
  let stopped = false;
  let retry: NodeJS.Timeout | undefined;

  async function connect(): Promise<void> {
    const next = buildListener(url, name);
    next.on("notification", (message) => {
      if (message.payload !== self) ringing.call(message.channel);
    });
    next.on("error", onError);
    next.on("end", () => reconnect(next));
    await listenTo(next, ringing.channels(), onError);
    // Stopped while it connected.
    if (stopped) return next.end().catch(onError);
    client = next;
    // Whatever was rung while nobody listened.
    ringing.callAll();
  }

  function reconnect(lost: pg.Client | null): void {
    if (stopped || (client !== null && client !== lost)) return;
    client = null;
    clearTimeout(retry);
    retry = setTimeout(() => void connect().catch(() => reconnect(null)), reconnectMs);
  }

  return {
    ring: ringing.ring,
    on: ringing.on,
    start: () =>
      connect().catch((error) => {
        onError(error);
        reconnect(null);
      }),
    async stop() {
      stopped = true;
      ringing.stop();
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
