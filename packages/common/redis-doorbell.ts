/**
 * The doorbell over Redis (or Valkey) instead of NOTIFY, for fleets whose rings would fill PostgreSQL's one queue of
 * notifications. It carries no data either: what was rung for is read from PostgreSQL, so that a ring that is lost costs time, and order and
 * completeness do not hang on Redis at all. While it is away everything goes on by polling, and one warning says so.
 */
import type { Doorbell } from "./doorbell.ts";
import { buildRinging } from "./ringing.ts";

export type RedisDoorbellOptions = {
  /** `redis://` or, with TLS, `rediss://` */
  url: string;
  /** This process's name, by which it knows its own rings. */
  self: string;
  /** Once for each time that Redis cannot be used. */
  onAway(error: unknown): void;
  onBack(): void;
};

const connectMs = 3_000;
/** A connection that is cut without a word is noticed by a ping that nobody answers. */
const pingMs = 10_000;
const silenceMs = 25_000;
const firstRetryMs = 200;
const lastRetryMs = 5_000;

export function buildRedisDoorbell({ url, self, onAway, onBack }: RedisDoorbellOptions): Doorbell {
  let client: Client | null = null;
  let stopped = false;
  let isAway = false;
  const ringing = buildRinging((channels) => {
    // Nobody is told while it is away: the connection's own error has said so, and all look when it is back.
    for (const channel of channels) client?.publish(channel, self).catch(() => undefined);
  });

  function fail(error: unknown): void {
    if (stopped || isAway) return;
    isAway = true;
    onAway(error);
  }

  function hear(sender: string, channel: string): void {
    if (sender !== self) ringing.call(channel);
  }

  /** At each new connection. Listening a second time with the same listener changes nothing. */
  async function listen(ready: Client): Promise<void> {
    const channels = ringing.channels();
    if (channels.length > 0) await ready.subscribe(channels, hear);
    if (isAway) onBack();
    isAway = false;
    // Whatever was rung while nobody listened.
    ringing.callAll();
  }

  /** Resolves with the first success or failure, or when neither comes soon; from then on the client comes back by itself. */
  async function connect(): Promise<void> {
    const next = await openClient(url);
    if (stopped) return;
    client = next;
    const first = Promise.withResolvers<void>();
    const patience = setTimeout(() => {
      fail(new Error("Redis does not answer"));
      first.resolve();
    }, connectMs);
    next.on("error", (error: unknown) => {
      fail(error);
      first.resolve();
    });
    next.on("ready", () => void listen(next).catch(fail).finally(first.resolve));
    // One that is stopped while it connects would stay open.
    next.on("connect", () => stopped && next.destroy());
    next.on("end", first.resolve);
    // Its failures were told as errors.
    next.connect().catch(() => undefined);
    await first.promise;
    clearTimeout(patience);
  }

  return {
    ring: ringing.ring,
    on: ringing.on,
    start: () => connect().catch(fail),
    async stop() {
      stopped = true;
      ringing.stop();
      client?.destroy();
    },
  };
}

type Client = Awaited<ReturnType<typeof openClient>>;

async function openClient(url: string) {
  // Some twenty megabytes that only those pay who use it.
  const { createClient } = await import("@redis/client");
  return createClient({
    url,
    // One connection that listens and publishes: Redis 6 or newer, or any Valkey.
    RESP: 3,
    // A ring that comes late is worth nothing.
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: "disabled",
    pingInterval: pingMs,
    socket: {
      connectTimeout: connectMs,
      socketTimeout: silenceMs,
      reconnectStrategy: (retries: number) =>
        Math.min(firstRetryMs * 2 ** Math.min(retries, 10), lastRetryMs) * (0.5 + Math.random() / 2),
    },
  });
}
