/*
 * The outbox: what subscribers are still to be told.
 *
 * Filled from the ledger by a cursor that is a row. Whoever locks it (others pass by) reads the events after it, up to a number
 * that the live tail has found safe, and in one transaction stores a message for each subscriber and moves the cursor on. A
 * process that dies in between leaves both where they were; two that try at once are one after the other; and should the same
 * event be read twice all the same, the unique (subscription, event) keeps one.
 *
 * Emptied by senders. A claim locks the rows of subscriptions (others pass by), so that no two claims for one subscription see
 * the same state; it marks messages with a lease and moves their `next_at` to its end. Every write after an attempt names the
 * lease. A sender that dies leaves its messages due when the lease is over: a receiver may get one twice, with the same id.
 * Two messages about one task are never under way at once; so they arrive in order as long as they arrive at the first attempt.
 */
import type { EventKind } from "@signalbox/common/contracts/event.ts";
import {
  exec,
  many,
  maybeOne,
  one,
  type Pool,
  type Queryable,
  type Row,
  sql,
  transaction,
} from "@signalbox/common/sql.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { Attempted, Tally } from "../outbox-verdict.ts";
import { readLedger } from "./read-tasks.ts";
import type { LedgerEntry } from "./rows.ts";

/** How it went: somebody else is at it, or has read all of it; or this read up to `readTo`, and stored so many messages. */
export type Fed = { kind: "busy" } | { kind: "level" } | { kind: "fed"; readTo: number; messages: number };

type Subscriber = { id: string; kinds: Set<EventKind>; types: Set<string> | null; fromSeq: number };
type NewMessage = { subscriptionId: string; seq: number; taskId: string; body: string };

const pageRows = 200;
/** Of the ledger, in one statement: it is read in order, also where hardly any event is wanted. */
const pageRange = 50_000;

/**
 * Reads the next page of the ledger into the outbox.
 *
 * @param upTo every event up to this number has been committed, or never will be
 */
export function feedOutbox(pool: Pool, upTo: number, toBody: (entry: LedgerEntry) => string): Promise<Fed> {
  return transaction<Fed>(pool, async (db) => {
    const after = await maybeOne(
      db,
      (row) => Number(row.seq),
      sql`select seq from outbox_cursor for update skip locked`,
    );
    if (after === null) return { kind: "busy" };
    if (after >= upTo) return { kind: "level" };
    const subscribers = await many(
      db,
      toSubscriber,
      sql`select id, kinds, types, from_seq from subscriptions where enabled order by id`,
    );
    const kinds = [...new Set(subscribers.flatMap((one) => [...one.kinds]))].sort();
    const end = Math.min(upTo, after + pageRange);
    const entries = kinds.length === 0 ? [] : await readLedger(db, { after, upTo: end, limit: pageRows, kinds });
    const messages = entries.flatMap((entry) => toMessages(entry, subscribers, toBody));
    if (messages.length > 0) await insertMessages(db, messages);
    const readTo = entries.at(-1)?.seq ?? end;
    await exec(db, sql`update outbox_cursor set seq = ${readTo}`);
    return { kind: "fed", readTo, messages: messages.length };
  });
}

function toSubscriber(row: Row): Subscriber {
  return {
    id: row.id as string,
    kinds: new Set(row.kinds as EventKind[]),
    types: row.types === null ? null : new Set(row.types as string[]),
    fromSeq: Number(row.from_seq),
  };
}

function toMessages(
  entry: LedgerEntry,
  subscribers: readonly Subscriber[],
  toBody: (entry: LedgerEntry) => string,
): NewMessage[] {
  const { seq, event, task } = entry;
  const wanting = subscribers.filter(
    ({ kinds, types, fromSeq }) => seq > fromSeq && kinds.has(event.kind) && (types?.has(task.type) ?? true),
  );
  if (wanting.length === 0) return [];
  const body = toBody(entry);
  return wanting.map(({ id }) => ({ subscriptionId: id, seq, taskId: task.id, body }));
}

async function insertMessages(db: Queryable, messages: readonly NewMessage[]): Promise<void> {
  await exec(
    db,
    sql`
    insert into outbox_messages (id, subscription_id, seq, task_id, body)
    select * from unnest(${messages.map(() => uuidv7())}::uuid[], ${messages.map((one) => one.subscriptionId)}::uuid[],
                         ${messages.map((one) => one.seq)}::bigint[], ${messages.map((one) => one.taskId)}::uuid[],
                         ${messages.map((one) => one.body)}::text[])
    on conflict on constraint outbox_messages_event_key do nothing`,
  );
}

/** How many want events, and when the next message is due, in ms; null: none waits. */
export function readOutlook(db: Queryable): Promise<{ subscribers: number; dueMs: number | null }> {
  return one(
    db,
    (row) => ({ subscribers: row.subscribers as number, dueMs: row.due_ms === null ? null : Number(row.due_ms) }),
    sql`
    select count(*)::int as subscribers,
           extract(epoch from min(greatest(due.next_at, s.hold_until)) - now()) * 1000 as due_ms
      from subscriptions s
      left join lateral (
        select next_at from outbox_messages m where m.subscription_id = s.id and m.ended_at is null order by next_at limit 1) due on true
     where s.enabled`,
  );
}

/** A message to be sent now, and what fences the write after it. */
export type ClaimedMessage = {
  id: string;
  leaseId: string;
  subscriptionId: string;
  url: string;
  /** encrypted */
  secret: string;
  attempt: number;
  seq: number;
  body: string;
};

export type ClaimOptions = {
  limit: number;
  /** Of the limit, so many for whoever has most to be told; the rest for receivers that have nothing under way. */
  shared: number;
  leaseMs: number;
  /** Messages under way at once, by all senders, for a receiver that is well; one that fails gets one. */
  lane: number;
};

/** Due messages are looked at this far for one subscription: many about one task must not hide the others for long. */
const windowRows = 200;

/** Takes due messages, each subscription in its turn and each in the order of its events. */
export function claimMessages(pool: Pool, { limit, shared, leaseMs, lane }: ClaimOptions): Promise<ClaimedMessage[]> {
  return transaction(pool, async (db) => {
    // By itself, so that the next statement sees what the last claim for the same subscription did.
    const lanes = await many(
      db,
      (row) => ({
        id: row.id as string,
        url: row.url as string,
        secret: row.secret as string,
        width: row.width as number,
      }),
      sql`
      select id, url, secret, case when failing_since is null then ${lane}::int else 1 end as width
        from subscriptions s
       where enabled and (hold_until is null or hold_until <= now())
         and exists (select 1 from outbox_messages m where m.subscription_id = s.id and m.ended_at is null and m.next_at <= now())
       order by id for no key update skip locked`,
    );
    if (lanes.length === 0) return [];
    const receivers = new Map(lanes.map(({ id, url, secret }) => [id, { url, secret }]));
    const claimed = await many(
      db,
      (row) => toClaimed(row, receivers.get(row.subscription_id as string)),
      sql`
      with lanes as (
        select * from unnest(${lanes.map(({ id }) => id)}::uuid[], ${lanes.map(({ width }) => width)}::int[]) as l (id, width)
      ), busy as materialized (
        select m.subscription_id, m.task_id from outbox_messages m join lanes l on l.id = m.subscription_id
         where m.lease_id is not null and m.next_at > now()
      ), picked as (
        select id from (
          select m.id, m.place, row_number() over (order by m.place, random()) as turn
            from lanes l cross join lateral (
              select count(*) as messages from busy b where b.subscription_id = l.id) held cross join lateral (
              -- After what is under way, or those that hang would take every place that another's answer makes free.
              select id, held.messages + row_number() over (order by next_at, seq) as place from (
                select id, next_at, seq, task_id, row_number() over (partition by task_id order by next_at, seq) as nth from (
                  select id, next_at, seq, task_id from outbox_messages
                   where subscription_id = l.id and ended_at is null and next_at <= now() order by next_at, seq limit ${windowRows}) due
                 where not exists (select 1 from busy b where b.subscription_id = l.id and b.task_id = due.task_id)) firsts
               where nth = 1
               order by next_at, seq
               limit greatest(0, l.width - held.messages)) m) places
         where place = 1 or turn <= ${shared}
         order by turn limit ${limit}
      )
      update outbox_messages m
         set lease_id = gen_random_uuid(), next_at = now() + ${leaseMs} * interval '1 ms', attempts = attempts + 1
        from picked
       where m.id = picked.id and m.ended_at is null and m.next_at <= now()
      returning m.id, m.lease_id, m.subscription_id, m.attempts, m.seq, m.body`,
    );
    return claimed.sort((a, b) => a.seq - b.seq);
  });
}

function toClaimed(row: Row, receiver: { url: string; secret: string } | undefined): ClaimedMessage {
  if (receiver === undefined) throw new Error("a message of a subscription that was not asked for was claimed");
  return {
    ...receiver,
    id: row.id as string,
    leaseId: row.lease_id as string,
    subscriptionId: row.subscription_id as string,
    attempt: row.attempts as number,
    seq: Number(row.seq),
    body: row.body as string,
  };
}

/** What a subscription is after some attempts; `disabledReason` when it was these that ended it. */
export type Recorded = { failures: number; disabledReason: string | null };

/**
 * Writes down what became of attempts of one subscription. A receiver that answered 410, or to whom nothing could be delivered
 * in all the time that a message was tried, gets no more. Null: the subscription is gone.
 */
export function recordAttempts(
  db: Queryable,
  subscriptionId: string,
  attempts: readonly Attempted[],
  sum: Tally,
): Promise<Recorded | null> {
  const ends = attempts.map(({ verdict }) =>
    verdict.kind === "retry" || verdict.kind === "released" ? null : verdict.kind,
  );
  const delays = attempts.map(({ verdict }) => (verdict.kind === "retry" ? verdict.delayMs : 0));
  const uncounted = attempts.map(({ verdict }) => verdict.kind === "released");
  return maybeOne(
    db,
    (row) => ({ failures: row.failures as number, disabledReason: row.why as string | null }),
    sql`
    with sub as (
      -- Before its messages, as a claim does.
      select id, enabled, delivered_at from subscriptions where id = ${subscriptionId} for no key update
    ), noted as (
      update outbox_messages m
         set lease_id = null, attempts = m.attempts - a.uncounted::int, outcome = a.outcome,
             ended_at = case when a.outcome is not null then now() end,
             body = case when a.outcome is null then m.body end,
             next_at = now() + a.delay_ms * interval '1 ms'
        from unnest(${attempts.map((one) => one.messageId)}::uuid[], ${attempts.map((one) => one.leaseId)}::uuid[],
                    ${ends}::text[], ${delays}::float8[], ${uncounted}::boolean[]) as a (id, lease_id, outcome, delay_ms, uncounted), sub
       where m.id = a.id and m.lease_id = a.lease_id and m.subscription_id = sub.id
      returning m.outcome, m.created_at
    ), judged as (
      select case when ${sum.gone} then 'the receiver answered 410: it wants no more events'
                  when not ${sum.delivered} and exists (
                    select 1 from noted where outcome = 'exhausted' and created_at > coalesce(sub.delivered_at, '-infinity'))
                  then 'nothing could be delivered while an event was tried for three days' end as why
        from sub where enabled
    )
    update subscriptions s
       set failures = case when ${sum.delivered} then 0 else s.failures end + ${sum.failures}::int,
           failing_since = case when ${sum.failures}::int = 0 then case when ${sum.delivered} then null else s.failing_since end
                                when ${sum.delivered} then now() else coalesce(s.failing_since, now()) end,
           delivered_at = case when ${sum.delivered} then now() else s.delivered_at end,
           hold_until = case when ${sum.holdMs}::float8 > 0 then now() + ${sum.holdMs}::float8 * interval '1 ms' else s.hold_until end,
           last_attempt_at = case when ${sum.last !== null} then now() else s.last_attempt_at end,
           last_outcome = coalesce(${sum.last?.outcome ?? null}, s.last_outcome),
           last_status = case when ${sum.last !== null} then ${sum.last?.status ?? null}::int else s.last_status end,
           last_error = case when ${sum.last !== null} then ${sum.last?.error ?? null}::text else s.last_error end,
           enabled = s.enabled and (select why from judged) is null,
           updated_at = case when (select why from judged) is null then s.updated_at else now() end,
           disabled_reason = coalesce((select why from judged), s.disabled_reason)
      from sub
     where s.id = sub.id
    returning s.failures, (select why from judged) as why`,
  );
}

/**
 * Disables the subscriptions for which more than `most` messages wait: a receiver that cannot keep up, or is away, must not
 * fill the database. One that somebody has just changed is given some time to catch up.
 */
export function disableOverfull(db: Queryable, most: number): Promise<string[]> {
  return many(
    db,
    (row) => row.id as string,
    sql`
    update subscriptions s
       set enabled = false, disabled_reason = ${`more than ${most} events waited to be delivered`}, updated_at = now()
     where s.enabled and s.updated_at < now() - interval '10 minutes'
       and (select count(*) from (select 1 from outbox_messages m
                                   where m.subscription_id = s.id and m.ended_at is null limit ${most + 1}) waiting) > ${most}
    returning s.id`,
  );
}

/**
 * Removes what has ended a week ago, what waits for a subscription that has been disabled for two, and what waited for one
 * that was deleted; at most `limit` of each. True: there may be more.
 */
export async function sweepOutbox(db: Queryable, limit: number): Promise<boolean> {
  const counts = await one(
    db,
    (row) => [row.ended, row.stale, row.orphaned].map(Number),
    sql`
    with ended as (
      delete from outbox_messages where id = any (array(
        select id from outbox_messages where ended_at < now() - interval '7 days' order by ended_at limit ${limit})) returning 1
    ), stale as (
      delete from outbox_messages where id = any (array(
        select m.id from subscriptions s join outbox_messages m on m.subscription_id = s.id and m.ended_at is null
         where not s.enabled and s.deleted_at is null and s.updated_at < now() - interval '14 days' limit ${limit})) returning 1
    ), orphaned as (
      delete from outbox_messages where id = any (array(
        select m.id from subscriptions s join outbox_messages m on m.subscription_id = s.id
         where s.deleted_at is not null limit ${limit})) returning 1
    )
    select (select count(*) from ended) as ended, (select count(*) from stale) as stale, (select count(*) from orphaned) as orphaned`,
  );
  // An hour later, when nobody who read of it before can still be storing a message for it.
  await exec(
    db,
    sql`
    delete from subscriptions s where deleted_at < now() - interval '1 hour'
       and not exists (select 1 from outbox_messages m where m.subscription_id = s.id)`,
  );
  return counts.some((count) => count === limit);
}

/** What waits, and since when the oldest of it does, for the gauges. */
export function measureOutbox(db: Queryable): Promise<{ pending: number; oldestSeconds: number }> {
  return one(
    db,
    (row) => ({ pending: Number(row.pending), oldestSeconds: Number(row.oldest) }),
    sql`
    select count(*) as pending, coalesce(extract(epoch from now() - min(m.created_at)), 0) as oldest
      from subscriptions s join outbox_messages m on m.subscription_id = s.id and m.ended_at is null
     where s.enabled`,
  );
}
