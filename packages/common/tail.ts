/**
 * Follows a table that is only ever appended to, and delivers every row once, in the order of its sequence.
 *
 * The trouble: a sequence's numbers are drawn in order, but rows become visible when their transactions commit. A reader that
 * remembers the highest number it saw loses the rows that commit late. So the tail delivers only up to a *barrier*:
 *
 *   1. read the number L that was drawn last, and not more than that (see `lastDrawn`);
 *   2. in a LATER statement draw a transaction id X, and remember (L, X);
 *   3. once X is below pg_snapshot_xmin, every transaction that was older than X has ended. Whoever drew a number up to L
 *      owned its transaction id before it drew (the tables have an `xid` column before `seq`), and so was older than X: each
 *      row up to L is visible by now, or never will be. Everything up to L may be delivered, in order.
 *
 * A long writing transaction anywhere in the cluster delays the tail (`lagMs` says so); nothing is lost. With nothing new
 * it asks for the last value once a poll and spends no transaction id. After any failure, and at a server that was started anew
 * since the last poll, the barrier begins anew: a crashed server may hand out again numbers that nobody committed, so the only
 * position that is kept is that of a delivered row. A database that comes back without that row (restored, or failed over to a
 * server that was behind) hands out its number again: then the position goes back too, and whoever listens is told.
 *
 * Crash at any step: the position lives in memory and in the clients' cursors only; nothing is written.
 */
import { setTimeout as pause } from "node:timers/promises";
import { lastDrawn } from "./sequence.ts";
import { many, one, type Pool, sql } from "./sql.ts";

export type TailOptions<T> = {
  pool: Pool;
  /** The sequence behind `seq`, which must have CACHE 1. */
  sequence: string;
  /** The highest stored number that is not above `upTo`; 0 when there is none. */
  latest(upTo: number): Promise<number>;
  /** Rows with `after < seq <= upTo` in order of seq, at most `limit`; none only when there are none. */
  read(after: number, upTo: number, limit: number): Promise<T[]>;
  seqOf(row: T): number;
  /** Called with each page of new rows; must not throw. */
  deliver(rows: readonly T[]): void;
  onError(error: unknown): void;
  /** Called when what was delivered last is no longer there, with the position from which it goes on; must not throw. */
  onRewound?(position: number): void;
  /** Between two polls under load: the frames of one tick go out together. */
  spacingMs?: number;
};

export type Tail = {
  /** The seq of the last delivered row: everything up to it has been delivered. */
  position(): number;
  /** How long the oldest unfinished barrier has been waiting, in ms; 0 when the tail is level. */
  lagMs(): number;
  /** Says that there may be something new. */
  ring(): void;
  /** Resolves once the first position is known. */
  started: Promise<void>;
  /** Follows until the signal; never rejects. */
  run(signal: AbortSignal): Promise<void>;
};

const pageRows = 500;
const pollMs = 1_000;
const defaultSpacingMs = 5;
/** From a ring to the poll: whoever rang has its own next statement on the way first, and what follows at once comes with it. */
const leadMs = 3;
/** Between two looks at a barrier that an open transaction holds back. */
const barrierMs = 4;
const failedMs = 500;

/** Up to where everything has committed or never will. */
function buildBarrier(options: { pool: Pool; sequence: string }) {
  let sampled = -1;
  let safe = -1;
  let server = "";
  let marks: { last: number; xid: number; since: number }[] = [];

  function beginAnew(): void {
    marks = [];
    sampled = -1;
    safe = -1;
  }

  async function sample(): Promise<void> {
    const { last, startedAt } = await readSequence(options);
    if (startedAt !== server || last < sampled) beginAnew();
    server = startedAt;
    if (last <= sampled) return;
    const xid = await drawTransactionId(options);
    sampled = last;
    marks.push({ last, xid, since: performance.now() });
  }

  return {
    /** The highest number that is safe to deliver up to; -1 before the first barrier has been passed. */
    async pass(): Promise<number> {
      await sample();
      if (marks.length === 0) return safe;
      const oldest = await oldestTransactionId(options);
      while (marks[0] && marks[0].xid < oldest) safe = marks.shift()?.last ?? safe;
      return safe;
    },
    isOpen: () => marks.length > 0,
    lagMs: () => (marks[0] ? performance.now() - marks[0].since : 0),
    beginAnew,
  };
}

export function buildTail<T>(options: TailOptions<T>): Tail {
  const bell = buildBell();
  const barrier = buildBarrier(options);
  const first = Promise.withResolvers<void>();
  const { spacingMs = defaultSpacingMs } = options;
  let position = -1;

  async function deliver(safe: number): Promise<void> {
    while (position < safe) {
      const rows = await options.read(position, safe, pageRows);
      const last = rows.at(-1);
      if (last === undefined) return;
      position = options.seqOf(last);
      options.deliver(rows);
    }
  }

  async function poll(): Promise<void> {
    const safe = await barrier.pass();
    if (safe < 0) return;
    if (position >= 0 && position <= safe) return deliver(safe);
    const isRewound = position >= 0;
    position = await options.latest(safe);
    first.resolve();
    if (isRewound) options.onRewound?.(position);
  }

  /** One poll and the rest after it: short while a barrier is open, until the bell or a second when level. */
  async function turn(signal: AbortSignal): Promise<void> {
    const failure = await poll().then(
      () => null,
      (error: unknown) => ({ error }),
    );
    if (failure) {
      barrier.beginAnew();
      options.onError(failure.error);
      return rest(failedMs, signal);
    }
    if (barrier.isOpen()) return rest(barrierMs, signal);
    await rest(spacingMs, signal);
    await bell.heard(pollMs * (0.9 + 0.2 * Math.random()), signal);
    await rest(leadMs, signal);
  }

  return {
    position: () => Math.max(position, 0),
    lagMs: barrier.lagMs,
    ring: bell.ring,
    started: first.promise,
    async run(signal) {
      while (!signal.aborted) await turn(signal);
      first.resolve();
    },
  };
}

export type Bell = { ring(): void; heard(timeoutMs: number, signal: AbortSignal): Promise<void> };

/** A doorbell inside the process: a ring while nobody waits is kept, several are one. */
export function buildBell(): Bell {
  let rung = false;
  let wake: (() => void) | null = null;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async heard(timeoutMs, signal) {
      if (!rung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = () => {
            clearTimeout(timer);
            signal.removeEventListener("abort", done);
            resolve();
          };
          const timer = setTimeout(done, timeoutMs);
          signal.addEventListener("abort", done, { once: true });
          wake = done;
        });
        wake = null;
      }
      rung = false;
    },
  };
}

/** Waits, or returns early when the signal says so. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined);
}

function readSequence({ pool, sequence }: Pick<TailOptions<never>, "pool" | "sequence">) {
  return one(
    pool,
    (row) => ({ last: Number(row.last), startedAt: row.started_at as string }),
    sql`select ${lastDrawn(sequence)} as last, extract(epoch from pg_postmaster_start_time())::text as started_at`,
  );
}

function drawTransactionId({ pool }: Pick<TailOptions<never>, "pool">): Promise<number> {
  return one(pool, (row) => Number(row.xid), sql`select pg_current_xact_id()::text as xid`);
}

async function oldestTransactionId({ pool }: Pick<TailOptions<never>, "pool">): Promise<number> {
  const rows = await many(
    pool,
    (row) => Number(row.xmin),
    sql`select pg_snapshot_xmin(pg_current_snapshot())::text as xmin`,
  );
  return rows[0] ?? 0;
}
