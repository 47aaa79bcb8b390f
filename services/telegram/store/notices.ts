import { exec, many, maybeOne, one, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { Notice, NoticeBody } from "../notice.ts";

/** Stores a notice; the same key again answers the first one's id. */
export async function insertNotice(
  db: Queryable,
  bot: string,
  { dedupeKey, body }: { dedupeKey: string | null; body: NoticeBody },
): Promise<string> {
  const made = await maybeOne(
    db,
    (row) => String(row.id),
    sql`
    insert into telegram_notices (id, bot, dedupe_key, body) values (${uuidv7()}, ${bot}, ${dedupeKey}, ${JSON.stringify(body)}::jsonb)
    on conflict (bot, dedupe_key) do nothing
    returning id`,
  );
  if (made !== null) return made;
  return one(
    db,
    (row) => String(row.id),
    sql`select id from telegram_notices where bot = ${bot} and dedupe_key = ${dedupeKey}`,
  );
}

/** Notices that are not in any chat yet, oldest first. */
export function listUnplaced(db: Queryable, bot: string, limit: number): Promise<Notice[]> {
  return many(
    db,
    toNotice,
    sql`
    select id, seq, body, created_at from telegram_notices
     where bot = ${bot} and placed_at is null order by seq limit ${limit}`,
  );
}

/** False when another leader has placed it. */
export async function markPlaced(db: Queryable, id: string): Promise<boolean> {
  return (
    (await exec(db, sql`update telegram_notices set placed_at = now() where id = ${id} and placed_at is null`)) > 0
  );
}

/** Notices between two numbers, both included. */
export function listNotices(db: Queryable, bot: string, { from, to }: { from: number; to: number }): Promise<Notice[]> {
  return many(
    db,
    toNotice,
    sql`
    select id, seq, body, created_at from telegram_notices
     where bot = ${bot} and seq between ${from} and ${to} order by seq limit 10000`,
  );
}

/** Notices of the last day that a channel has not been told, oldest first. */
export function listUntold(
  db: Queryable,
  bot: string,
  { channel, limit }: { channel: string; limit: number },
): Promise<Notice[]> {
  return many(
    db,
    toNotice,
    sql`
    select id, seq, body, created_at from telegram_notices n
     where bot = ${bot} and created_at > now() - interval '1 day'
       and not exists (select 1 from telegram_told t where t.channel = ${channel} and t.notice_id = n.id)
     order by seq limit ${limit}`,
  );
}

/** @param told.error why the channel will never take them; null: it has */
export function markTold(
  db: Queryable,
  told: { channel: string; ids: readonly string[]; error: string | null },
): Promise<number> {
  return exec(
    db,
    sql`
    insert into telegram_told (notice_id, channel, error)
    select id, ${told.channel}, ${told.error} from unnest(${told.ids}::uuid[]) as id
    on conflict do nothing`,
  );
}

function toNotice(row: Row): Notice {
  return {
    id: String(row.id),
    seq: Number(row.seq),
    body: row.body as NoticeBody,
    at: (row.created_at as Date).toISOString(),
  };
}

export type NoticeGroup = { rootSlot: string; slot: string; textHash: string; count: number; openedAt: string };

/** The group of a key, as long as it is young; it is locked until the transaction ends. */
export function findGroup(
  db: Queryable,
  bot: string,
  { chatId, key, seconds }: { chatId: number; key: string; seconds: number },
): Promise<NoticeGroup | null> {
  return maybeOne(
    db,
    (row) => ({
      rootSlot: String(row.root_slot),
      slot: String(row.slot),
      textHash: String(row.text_hash),
      count: Number(row.count),
      openedAt: (row.opened_at as Date).toISOString(),
    }),
    sql`
    select root_slot, slot, text_hash, count, opened_at from telegram_groups
     where bot = ${bot} and chat_id = ${chatId} and key = ${key} and last_at > now() - ${seconds} * interval '1 s'
       for update`,
  );
}

export function keepGroup(
  db: Queryable,
  bot: string,
  group: { chatId: number; key: string } & NoticeGroup,
): Promise<number> {
  return exec(
    db,
    sql`
    insert into telegram_groups (bot, chat_id, key, root_slot, slot, text_hash, count, opened_at)
    values (${bot}, ${group.chatId}, ${group.key}, ${group.rootSlot}, ${group.slot}, ${group.textHash}, ${group.count}, ${group.openedAt})
    on conflict (bot, chat_id, key) do update
       set root_slot = excluded.root_slot, slot = excluded.slot, text_hash = excluded.text_hash, count = excluded.count,
           opened_at = excluded.opened_at, last_at = now()`,
  );
}

/** Forgets what is older than so many days; what still waits is never forgotten. */
export async function forgetOld(db: Queryable, days: number): Promise<number> {
  const old = sql`now() - ${days} * interval '1 day'`;
  const statements = [
    sql`delete from telegram_inbox where status <> 'new' and done_at < ${old}`,
    sql`delete from telegram_runs where not is_open and ended_at < ${old}`,
    sql`delete from telegram_outbox where status in ('sent', 'failed') and sent_at < ${old}`,
    // An edit of a message that could not be sent has nothing to wait for.
    sql`delete from telegram_outbox o using telegram_outbox t where t.id = o.edits and o.status = 'queued' and t.status = 'failed'`,
    sql`delete from telegram_notices where placed_at < ${old}`,
    sql`delete from telegram_groups where last_at < ${old}`,
    sql`delete from telegram_buttons where expires_at < ${old}`,
    sql`delete from telegram_pairings where expires_at < ${old}`,
    sql`delete from telegram_memory where key like 'retry:%' and updated_at < ${old}`,
  ];
  let count = 0;
  for (const statement of statements) count += await exec(db, statement);
  return count;
}
