import type { EventKind } from "@signalbox/common/contracts/event.ts";
import type { AttemptOutcome, Subscription } from "@signalbox/common/contracts/subscription.ts";
import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import { lastDrawn } from "@signalbox/common/sequence.ts";
import {
  exec,
  many,
  maybeOne,
  one,
  type Pool,
  type Queryable,
  type Row,
  rawSql,
  sql,
  transaction,
} from "@signalbox/common/sql.ts";

/** What its maker says of a subscription. */
export type SubscriptionFields = Pick<Subscription, "url" | "kinds" | "types" | "enabled">;

const columns = rawSql(`
  s.id, s.url, s.kinds, s.types, s.enabled, s.disabled_reason, s.created_at, s.updated_at, s.last_attempt_at, s.last_outcome,
  s.last_status, s.last_error, s.failures,
  (select count(*)::int from outbox_messages m where m.subscription_id = s.id and m.ended_at is null) as pending`);

function toSubscription(row: Row): Subscription {
  return {
    id: row.id as string,
    url: row.url as string,
    kinds: row.kinds as EventKind[],
    types: row.types as string[] | null,
    enabled: row.enabled as boolean,
    disabledReason: row.disabled_reason as string | null,
    createdAt: (row.created_at as Date).toISOString(),
    updatedAt: (row.updated_at as Date).toISOString(),
    lastDeliveryAt: (row.last_attempt_at as Date | null)?.toISOString() ?? null,
    lastOutcome: row.last_outcome as AttemptOutcome | null,
    lastStatus: row.last_status as number | null,
    lastError: row.last_error as string | null,
    failures: row.failures as number,
    pending: row.pending as number,
  };
}

/**
 * The number that the events of a subscription that begins now are above. The row of the cursor is locked to the end of the
 * transaction, so nobody reads the ledger into the outbox meanwhile; when nobody is subscribed yet, the cursor stands where it
 * stood for the last subscriber, and skips what nobody was to be told of.
 */
async function beginFeed(db: Queryable): Promise<number> {
  await exec(db, sql`select seq from outbox_cursor for update`);
  return one(
    db,
    (row) => Number(row.last),
    sql`
    with ledger as (select ${lastDrawn("task_events_seq")} as last),
    skipped as (
      update outbox_cursor set seq = greatest(seq, (select last from ledger))
       where not exists (select 1 from subscriptions where enabled)
    ) select last from ledger`,
  );
}

/**
 * Stores a subscription, whose events are those made from now on. Null: there are `most` already.
 *
 * @param secret encrypted
 */
export function insertSubscription(
  pool: Pool,
  id: string,
  fields: SubscriptionFields,
  made: { by: string; secret: string; most: number },
): Promise<Subscription | null> {
  return transaction(pool, async (db) => {
    const fromSeq = await beginFeed(db);
    return maybeOne(
      db,
      toSubscription,
      sql`
      with s as (
        insert into subscriptions (id, url, kinds, types, secret, enabled, from_seq, created_by)
        select ${id}, ${fields.url}, ${fields.kinds}::text[], ${fields.types}::text[], ${made.secret}, ${fields.enabled}::boolean,
               ${fromSeq}, ${made.by}
         where (select count(*) from subscriptions where deleted_at is null) < ${made.most}::int
        returning *
      ) select ${columns} from s`,
    );
  });
}

export async function listSubscriptions(
  db: Queryable,
  page: { limit: number; cursor: string | undefined },
): Promise<{ items: Subscription[]; nextCursor: string | null }> {
  const [createdAt, id] = page.cursor === undefined ? [null, null] : decodeCursor(page.cursor, ["instant", "uuid"]);
  const after =
    createdAt === null ? rawSql("") : sql`and (s.created_at, s.id) < (${createdAt}::timestamptz, ${id}::uuid)`;
  const found = await many(
    db,
    toSubscription,
    sql`
    select ${columns} from subscriptions s where s.deleted_at is null ${after}
     order by s.created_at desc, s.id desc limit ${page.limit + 1}`,
  );
  const items = found.slice(0, page.limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > page.limit && last ? encodeCursor([last.createdAt, last.id]) : null };
}

/**
 * Changes a subscription; null: there is none of that id. When it is enabled again it takes the events from now on. Then, or
 * when it has another URL, whatever waits is due at once and has all its attempts before it.
 */
export function changeSubscription(
  pool: Pool,
  id: string,
  change: (current: Subscription) => SubscriptionFields,
): Promise<Subscription | null> {
  return transaction(pool, async (db) => {
    // First the cursor, as everybody who locks both does.
    const fromSeq = await beginFeed(db);
    const current = await maybeOne(
      db,
      toSubscription,
      sql`select ${columns} from subscriptions s where s.id = ${id} and s.deleted_at is null for update`,
    );
    if (current === null) return null;
    const fields = change(current);
    const isResumed = fields.enabled && !current.enabled;
    const isFresh = isResumed || fields.url !== current.url;
    await exec(
      db,
      sql`
      update subscriptions
         set url = ${fields.url}, kinds = ${fields.kinds}::text[], types = ${fields.types}::text[], enabled = ${fields.enabled},
             disabled_reason = case when ${fields.enabled} = enabled then disabled_reason end,
             from_seq = case when ${isResumed} then ${fromSeq}::bigint else from_seq end,
             failures = case when ${isFresh} then 0 else failures end,
             failing_since = case when ${isFresh} then null else failing_since end,
             hold_until = case when ${isFresh} then null else hold_until end,
             renewed_at = case when ${isFresh} then now() else renewed_at end, updated_at = now()
       where id = ${id}`,
    );
    // The first at once, which is all of them most of the time; the sweeper goes on with the others.
    if (isFresh) await renewMessages(db, { limit: 1_000, attempts: 1 });
    return one(db, toSubscription, sql`select ${columns} from subscriptions s where s.id = ${id}`);
  });
}

/**
 * Makes messages due that wait for a subscription that was resumed or got another URL, those first that would wait longest.
 * False: there are no more of them.
 *
 * @param attempts that they have made at least; 2 where it goes on until there are none, because what fails again meanwhile is
 * due in seconds anyway
 */
export async function renewMessages(
  db: Queryable,
  { limit, attempts }: { limit: number; attempts: number },
): Promise<boolean> {
  const renewed = await exec(
    db,
    sql`
    update outbox_messages set next_at = clock_timestamp(), attempts = 0
     where id = any (array(
       select m.id from subscriptions s cross join lateral (
         select id from outbox_messages
          where subscription_id = s.id and ended_at is null and lease_id is null and attempts >= ${attempts}
          order by next_at desc limit ${limit} for update skip locked) m
        where s.renewed_at is not null limit ${limit}))`,
  );
  if (renewed > 0) return true;
  await exec(db, sql`update subscriptions set renewed_at = null where renewed_at is not null`);
  return false;
}

/** False: there is none of that id. Nothing more is sent; what waited is removed by `sweepOutbox`. */
export async function deleteSubscription(db: Queryable, id: string): Promise<boolean> {
  const deleted = await exec(
    db,
    sql`
    update subscriptions set deleted_at = now(), enabled = false, secret = '' where id = ${id} and deleted_at is null`,
  );
  return deleted === 1;
}
