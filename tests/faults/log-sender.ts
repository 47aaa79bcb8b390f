import { setTimeout as pause } from "node:timers/promises";
import type { LogReceipt } from "@signalbox/common/contracts/log.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { World } from "./world.ts";

/** A program that logs, and knows of each record whether it was accepted. */
export type LogSender = { accepted: Set<string>; stop(): Promise<void> };

export const senderName = "faults-sender";
const everyMs = 400;
const batchRows = 5;

export function startLogSender(world: World, round: string): LogSender {
  const stopping = new AbortController();
  const accepted = new Set<string>();
  const client = world.client("logs", round);
  const base = () => world.logging.url;

  async function send(): Promise<void> {
    const records = Array.from({ length: batchRows }, (_, at) => ({
      id: uuidv7(),
      level: "info",
      service: senderName,
      message: `record ${at} of ${round}`,
      data: { password: world.secrets.loggedPassword, at },
    }));
    // The same ids again are accepted and stored once.
    const asked = { method: "POST", body: records, as: "service", base: base(), timeoutMs: 5_000 } as const;
    const reply = await client.persist<LogReceipt>("/log", { ...asked, giveUpMs: 90_000 });
    if (reply?.status === 202 && reply.body.accepted === batchRows) for (const { id } of records) accepted.add(id);
    else world.violate("I6", `a batch of logs was answered with ${reply?.status}: ${reply?.text.slice(0, 200)}`);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await send();
      await pause(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    accepted,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
