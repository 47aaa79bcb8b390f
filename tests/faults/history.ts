import type { Wish } from "./kinds.ts";

/** A task that somebody asked for, and what the answers said about it. */
export type Post = { nonce: string; user: number; wish: Wish; ids: Set<string>; acknowledged: boolean };

/** A change that was answered with 200: the ledger must have it under this version. */
export type Acknowledged = { taskId: string; version: number; kinds: readonly string[] };

/** What clients saw in one round; the checker believes nothing else. */
export class History {
  readonly posts = new Map<string, Post>();
  readonly changes: Acknowledged[] = [];
  /** Answers that no honest service gives: an unknown task that was acknowledged, a version that went back. */
  readonly oddities: string[] = [];
  /** Tasks that somebody has canceled, rejected or retried, or tried to: they may end otherwise than wished. */
  readonly touched = new Set<string>();

  asked(nonce: string, user: number, wish: Wish): Post {
    const post = { nonce, user, wish, ids: new Set<string>(), acknowledged: false };
    this.posts.set(nonce, post);
    return post;
  }

  changed(taskId: string, version: number, ...kinds: string[]): void {
    this.changes.push({ taskId, version, kinds });
  }

  odd(what: string): void {
    this.oddities.push(what);
  }
}
