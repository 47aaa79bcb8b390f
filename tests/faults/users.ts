import { setTimeout as pause } from "node:timers/promises";
import type { Task, TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import type { Dice } from "@signalbox/testing/dice.ts";
import type { Client, Reply, Traffic } from "./client.ts";
import type { History } from "./history.ts";
import { makeFamily, makeWish, pickKind, type Wish, type WishContext } from "./kinds.ts";
import type { World } from "./world.ts";

/*
 * A hundred people at the API: they post tasks under keys of their own and repeat each post until they know what became of it,
 * read what they have made, cancel, retry and patch. Each user's throws come from the seed, whatever the others do.
 */

export type Load = {
  history: History;
  posted(): number;
  traffic(): Traffic;
  /** Nobody begins anything new; resolves when everybody knows what became of what they began. */
  stop(): Promise<void>;
};

export const userCount = 100;
/** Users that own a key post to it, one after the other, so that they know its order. */
const keyOwners = 50;
const meanPauseMs = 2_000;
/** Longer than any outage of the suite. */
const patienceMs = 90_000;

export function startLoad(world: World, round: string, load: { history: History; users: number }): Load {
  const { history } = load;
  const stopping = new AbortController();
  const users = Array.from({ length: load.users }, (_, number) => new User(world, { round, number, history }));
  const running = Promise.all(users.map((user) => user.run(stopping.signal)));
  return {
    history,
    posted: () => history.posts.size,
    traffic: () => users.map(({ client }) => client.traffic).reduce(addTraffic),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function addTraffic(a: Traffic, b: Traffic): Traffic {
  return {
    requests: a.requests + b.requests,
    unknown: a.unknown + b.unknown,
    refused: a.refused + b.refused,
    repeats: a.repeats + b.repeats,
    slowestMs: Math.max(a.slowestMs, b.slowestMs),
  };
}

type UserOptions = { round: string; number: number; history: History };

class User {
  readonly client: Client;
  readonly #world: World;
  readonly #options: UserOptions;
  readonly #dice: Dice;
  /** Their latest versions, of the last tasks that this user has made. */
  readonly #own: { id: string; version: number }[] = [];
  #wishes = 0;
  #inLine = 0;

  constructor(world: World, options: UserOptions) {
    this.#world = world;
    this.#options = options;
    this.#dice = world.dice("user", options.round, options.number);
    this.client = world.client("user", options.round, options.number);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#rest(signal);
    while (!signal.aborted) {
      await this.#act();
      await this.#rest(signal);
    }
  }

  /** Exponential: sometimes many at once. */
  async #rest(signal: AbortSignal): Promise<void> {
    const ms = Math.min(-Math.log(1 - this.#dice()) * meanPauseMs, 5 * meanPauseMs);
    await pause(ms, undefined, { signal }).catch(() => undefined);
  }

  async #act(): Promise<void> {
    const throwOf = this.#dice() * 100;
    const own = this.#own.length > 0 ? this.#dice.pick(this.#own) : null;
    if (throwOf < 70 || own === null) await this.#post();
    else if (throwOf < 73) await this.#postFamily();
    else if (throwOf < 84) await this.#read(own);
    else if (throwOf < 88) await this.#list();
    else if (throwOf < 92) await this.#cancel(own.id);
    else if (throwOf < 96) await this.#retry(own.id);
    else await this.#patch(own);
  }

  #context(): WishContext {
    const { round, number } = this.#options;
    const nonce = `${round}-u${number}-${this.#wishes++}`;
    return { dice: this.#dice, user: number, nonce, token: this.#world.secrets.token, at: this.#inLine };
  }

  async #post(): Promise<void> {
    const picked = pickKind(this.#dice);
    const kind = picked === "line" && this.#options.number >= keyOwners ? "quick" : picked;
    const context = this.#context();
    if (kind === "line") this.#inLine++;
    const prefer: Record<string, string> = this.#dice.percent(10) ? { prefer: "wait=2" } : {};
    await this.#wish(makeWish(kind, context), context.nonce, prefer);
  }

  async #postFamily(): Promise<void> {
    const context = this.#context();
    const parent = await this.#wish(makeFamily(context, null), context.nonce);
    if (parent === null) return;
    const children = [this.#context(), this.#context()];
    await Promise.all(children.map((child) => this.#wish(makeFamily(child, parent.id), child.nonce)));
    await this.#cancel(parent.id);
  }

  async #wish(wish: Wish, nonce: string, more: Record<string, string> = {}): Promise<Task | null> {
    const { history, number } = this.#options;
    const post = history.asked(nonce, number, wish);
    const headers = { "idempotency-key": nonce, ...more };
    const asked = { method: "POST", body: wish.body, headers, giveUpMs: patienceMs } as const;
    const reply = await this.client.persist("/task", asked);
    if (reply === null) history.odd(`nobody answered the post ${nonce} for ${patienceMs / 1_000} s`);
    else if (reply.status !== 201 && reply.status !== 200)
      history.odd(`the post ${nonce} was answered with ${reply.status}: ${reply.text.slice(0, 200)}`);
    else {
      const task = reply.body;
      post.acknowledged = true;
      post.ids.add(task.id);
      this.#own.push({ id: task.id, version: task.version });
      if (this.#own.length > 10) this.#own.shift();
      return task;
    }
    return null;
  }

  /** What was read once is never older the next time, at whichever orchestrator. */
  async #read(own: { id: string; version: number }): Promise<void> {
    const { history } = this.#options;
    const reply = await this.client.once<TaskWithEvents>(`/task/${own.id}`);
    if (reply === null || reply.status >= 500) return;
    if (reply.status !== 200) return history.odd(`reading ${own.id}, which was acknowledged: ${reply.status}`);
    const { version, events } = reply.body;
    if (version < own.version) history.odd(`${own.id} was read in version ${version} after ${own.version}`);
    if (events.at(-1)?.version !== version) history.odd(`${own.id} was read in version ${version} with other events`);
    own.version = Math.max(own.version, version);
  }

  /** Everybody finds what they have just made. */
  async #list(): Promise<void> {
    const { number, history } = this.#options;
    const latest = this.#own.at(-1);
    const reply = await this.client.once<TaskList>(`/tasks?correlationId=user-${number}&limit=200`);
    if (reply === null || reply.status >= 500 || latest === undefined) return;
    const items = reply.body?.items ?? [];
    if (!items.some(({ id }) => id === latest.id)) history.odd(`user ${number} does not find ${latest.id} in the list`);
  }

  async #cancel(id: string): Promise<void> {
    this.#options.history.touched.add(id);
    const reply = await this.#change(id, { method: "POST", path: "/cancel" });
    if (reply?.status === 200) this.#options.history.changed(id, reply.body.version, "canceled", "rejected", "patched");
  }

  async #retry(id: string): Promise<void> {
    this.#options.history.touched.add(id);
    const reply = await this.#change(id, { method: "POST", path: "/retry" });
    if (reply?.status === 200) this.#options.history.changed(id, reply.body.version, "patched");
  }

  async #patch(own: { id: string; version: number }): Promise<void> {
    const priority = this.#dice.between(-100, 100);
    const body = { ifVersion: own.version, priority };
    const reply = await this.#change(own.id, { method: "PATCH", path: "", body });
    // The same priority again is no change.
    if (reply?.status !== 200 || reply.body.version === own.version) return;
    own.version = reply.body.version;
    this.#options.history.changed(own.id, own.version, "patched");
  }

  /** Once: who repeats a change that may have been made, makes it twice. */
  async #change(id: string, change: { method: "POST" | "PATCH"; path: string; body?: unknown }): Promise<Reply | null> {
    const { method, path, body } = change;
    const reply = await this.client.once(`/task/${id}${path}`, { method, ...(body !== undefined && { body }) });
    const expected = [200, 409, 422, 429, 500, 503];
    if (reply !== null && !expected.includes(reply.status))
      this.#options.history.odd(
        `${method} ${path} of ${id} was answered with ${reply.status}: ${reply.text.slice(0, 200)}`,
      );
    if (reply?.status === 500) this.#options.history.odd(`${method} ${path} of ${id}: 500 ${reply.text.slice(0, 200)}`);
    return reply;
  }
}
