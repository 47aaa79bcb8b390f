/** The updates of the Telegram stand-in on their way to the bot: asked for by long polling, or posted to its webhook until it says 2xx. */
import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "./telegram-chats.ts";

export type Update = { update_id: number; [member: string]: unknown };

type Params = Record<string, unknown>;
type Webhook = { url: string; secret: string | null; maxConnections: number; lastError: string | null };

const noWebhook: Webhook = { url: "", secret: null, maxConnections: 40, lastError: null };
const firstRetryMs = 50;
const mostRetryMs = 2_000;

const conflict = (why: string) => new Refusal(409, `Conflict: ${why}`);

/** The one call of getUpdates that may wait; the next one ends it. */
function buildLongPoll() {
  let current: { wake(): void; end(refusal: Refusal): void } | null = null;
  return {
    wake: () => current?.wake(),
    end: (refusal: Refusal) => current?.end(refusal),
    wait(ms: number, signal: AbortSignal): Promise<void> {
      return new Promise((resolve, reject) => {
        const close = (act: () => void) => {
          clearTimeout(timer);
          if (current === me) current = null;
          act();
        };
        const me = { wake: () => close(resolve), end: (refusal: Refusal) => close(() => reject(refusal)) };
        const timer = setTimeout(me.wake, ms);
        signal.addEventListener("abort", me.wake, { once: true });
        current = me;
      });
    },
  };
}

export class Updates {
  #nextId: number;
  #queue: Update[] = [];
  #webhook: Webhook = { ...noWebhook };
  #isStopped = false;
  readonly #longPoll = buildLongPoll();
  readonly #underWay = new Set<number>();

  constructor(firstId: number) {
    this.#nextId = firstId;
  }

  get pending(): Update[] {
    return this.#queue;
  }

  get webhookUrl(): string {
    return this.#webhook.url;
  }

  add(update: Record<string, unknown>): number {
    const added = { update_id: this.#nextId++, ...update };
    this.#queue.push(added);
    this.#longPoll.wake();
    this.#pump();
    return added.update_id;
  }

  async poll(params: Params, signal: AbortSignal): Promise<Update[]> {
    if (this.#webhook.url !== "") {
      throw conflict(
        "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
      );
    }
    this.#longPoll.end(
      conflict("terminated by other getUpdates request; make sure that only one bot instance is running"),
    );
    const found = this.#take(params);
    const seconds = (params.timeout as number | undefined) ?? 0;
    if (found.length > 0 || seconds === 0) return found;
    await this.#longPoll.wait(seconds * 1_000, signal);
    return this.#take(params);
  }

  setWebhook(params: Params): boolean {
    const secret = params.secret_token as string | undefined;
    if (secret !== undefined && !/^[A-Za-z0-9_-]{1,256}$/.test(secret)) {
      throw new Refusal(400, "Bad Request: secret token contains unallowed characters");
    }
    if (params.drop_pending_updates === true) this.#queue = [];
    const maxConnections = (params.max_connections as number | undefined) ?? 40;
    this.#webhook = { ...noWebhook, url: String(params.url), secret: secret ?? null, maxConnections };
    if (this.#webhook.url !== "") this.#longPoll.end(conflict("terminated by setWebhook request"));
    this.#pump();
    return true;
  }

  webhookInfo(): object {
    const { url, maxConnections, lastError } = this.#webhook;
    return {
      url,
      has_custom_certificate: false,
      pending_update_count: this.#queue.length,
      max_connections: maxConnections,
      ...(lastError !== null && { last_error_date: Math.floor(Date.now() / 1_000), last_error_message: lastError }),
    };
  }

  stop(): void {
    this.#isStopped = true;
    this.#longPoll.wake();
  }

  #take(params: Params): Update[] {
    const offset = (params.offset as number | undefined) ?? 0;
    if (offset > 0) this.#queue = this.#queue.filter(({ update_id }) => update_id >= offset);
    return this.#queue.slice(0, Math.min(100, Math.max(1, (params.limit as number | undefined) ?? 100)));
  }

  /** Several at once, begun in order, as Telegram does. */
  #pump(): void {
    if (this.#webhook.url === "" || this.#isStopped) return;
    for (const update of this.#queue) {
      if (this.#underWay.size >= this.#webhook.maxConnections) return;
      if (this.#underWay.has(update.update_id)) continue;
      this.#underWay.add(update.update_id);
      void this.#post(update).finally(() => {
        this.#underWay.delete(update.update_id);
        this.#pump();
      });
    }
  }

  async #post(update: Update): Promise<void> {
    for (let round = 0; !this.#isStopped && this.#webhook.url !== "" && this.#queue.includes(update); round++) {
      const problem = await deliver(this.#webhook, update);
      if (problem === null) this.#queue = this.#queue.filter((other) => other !== update);
      else {
        this.#webhook.lastError = problem;
        await delay(Math.min(mostRetryMs, firstRetryMs * 2 ** round), undefined, { ref: false });
      }
    }
  }
}

async function deliver({ url, secret }: Webhook, update: Update): Promise<string | null> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (secret !== null) headers["x-telegram-bot-api-secret-token"] = secret;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: JSON.stringify(update),
      redirect: "manual",
      signal: AbortSignal.timeout(10_000),
    });
    await response.arrayBuffer();
    return response.ok ? null : `Wrong response from the webhook: ${response.status}`;
  } catch {
    return "Connection refused";
  }
}
