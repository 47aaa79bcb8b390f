import { exec, many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";

export type Member = { userId: number; name: string; pairedBy: string; pairedAt: string };

export function listMembers(db: Queryable, bot: string): Promise<Member[]> {
  return many(
    db,
    toMember,
    sql`select user_id, name, paired_by, paired_at from telegram_members where bot = ${bot} order by paired_at, user_id`,
  );
}

function toMember(row: Row): Member {
  return {
    userId: Number(row.user_id),
    name: String(row.name),
    pairedBy: String(row.paired_by),
    pairedAt: (row.paired_at as Date).toISOString(),
  };
}

export async function isMember(db: Queryable, bot: string, userId: number): Promise<boolean> {
  const rows = await many(
    db,
    () => true,
    sql`select 1 from telegram_members where bot = ${bot} and user_id = ${userId}`,
  );
  return rows.length > 0;
}

export function deleteMember(db: Queryable, bot: string, userId: number): Promise<number> {
  return exec(db, sql`delete from telegram_members where bot = ${bot} and user_id = ${userId}`);
}

/** @returns until when the code is good */
export async function insertPairing(
  db: Queryable,
  bot: string,
  { codeHash, createdBy, seconds }: { codeHash: Buffer; createdBy: string; seconds: number },
): Promise<string> {
  const rows = await many(
    db,
    (row) => (row.expires_at as Date).toISOString(),
    sql`
    insert into telegram_pairings (code_hash, bot, created_by, expires_at)
    values (${codeHash}, ${bot}, ${createdBy}, now() + ${seconds} * interval '1 s')
    returning expires_at`,
  );
  return rows[0] ?? "";
}

/** Uses a code up and makes its bearer a member, in one statement; false when the code is unknown, used or too old. */
export async function usePairing(
  db: Queryable,
  bot: string,
  { codeHash, userId, name }: { codeHash: Buffer; userId: number; name: string },
): Promise<boolean> {
  const made = await many(
    db,
    () => true,
    sql`
    with used as (
      update telegram_pairings set used_at = now(), used_by = ${userId}
       where code_hash = ${codeHash} and bot = ${bot} and expires_at > now()
         -- The one who used it may come again: the update that brought it may be worked off twice.
         and (used_at is null or used_by = ${userId})
      returning created_by
    )
    insert into telegram_members (bot, user_id, name, paired_by)
    select ${bot}, ${userId}, ${name}, created_by from used
    on conflict (bot, user_id) do update set name = excluded.name
    returning 1`,
  );
  return made.length > 0;
}

/** True for the first call about a stranger, and never again. */
export async function claimRefusal(db: Queryable, bot: string, subject: string): Promise<boolean> {
  const told = await many(
    db,
    () => true,
    sql`
    insert into telegram_strangers as s (bot, subject, told_at) values (${bot}, ${subject}, now())
    on conflict (bot, subject) do update set told_at = now() where s.told_at is null
    returning 1`,
  );
  return told.length > 0;
}

/** Counts one try of a code; how many there were within the hour. */
export async function countTry(db: Queryable, bot: string, subject: string): Promise<number> {
  const rows = await many(
    db,
    (row) => Number(row.tries),
    sql`
    insert into telegram_strangers as s (bot, subject, tries) values (${bot}, ${subject}, 1)
    on conflict (bot, subject) do update
       set tries = case when s.tries_since < now() - interval '1 hour' then 1 else s.tries + 1 end,
           tries_since = case when s.tries_since < now() - interval '1 hour' then now() else s.tries_since end
    returning tries`,
  );
  return rows[0] ?? 0;
}

export type ChatState = {
  chatId: number;
  closedBecause: string | null;
  movedTo: number | null;
  isMuted: boolean;
  muteMs: number;
  storm: unknown;
};

export function findChat(db: Queryable, bot: string, chatId: number): Promise<ChatState | null> {
  return maybeOne(
    db,
    toChat,
    sql`select ${chatColumns} from telegram_chats where bot = ${bot} and chat_id = ${chatId}`,
  );
}

/** The group that became this one; null when none did. */
export async function findMovedFrom(db: Queryable, bot: string, chatId: number): Promise<number | null> {
  const rows = await many(
    db,
    (row) => Number(row.chat_id),
    sql`select chat_id from telegram_chats where bot = ${bot} and moved_to = ${chatId} limit 1`,
  );
  return rows[0] ?? null;
}

const chatColumns = sql`chat_id, closed_because, moved_to, muted_until > now() as is_muted,
  greatest(0, extract(epoch from muted_until - now()) * 1000) as mute_ms, storm`;

function toChat(row: Row): ChatState {
  return {
    chatId: Number(row.chat_id),
    closedBecause: row.closed_because === null ? null : String(row.closed_because),
    movedTo: row.moved_to === null ? null : Number(row.moved_to),
    isMuted: row.is_muted === true,
    muteMs: Number(row.mute_ms ?? 0),
    storm: row.storm,
  };
}

/**
 * What was held back comes when the mute ends, also when that is sooner than was said first. Inside a transaction.
 *
 * @param seconds 0 ends it
 */
export async function muteChat(
  db: Queryable,
  bot: string,
  { chatId, seconds }: { chatId: number; seconds: number },
): Promise<void> {
  const end = sql`now() + ${seconds} * interval '1 s'`;
  // A mute that becomes longer, or comes on top of quiet hours, lets nothing out.
  await exec(
    db,
    sql`
    update telegram_outbox set not_before = least(not_before, ${end})
     where bot = ${bot} and chat_id = ${chatId} and status = 'queued' and slot like 'storm:%'
       and (${seconds} = 0 or exists (
         select 1 from telegram_chats c where c.bot = ${bot} and c.chat_id = ${chatId} and c.muted_until > ${end}))`,
  );
  await exec(
    db,
    sql`
    insert into telegram_chats as c (bot, chat_id, muted_until) values (${bot}, ${chatId}, ${end})
    on conflict (bot, chat_id) do update
       set muted_until = excluded.muted_until,
           storm = case when ${seconds} = 0 then c.storm - 'heldUntil' else c.storm end`,
  );
}

export function keepStorm(
  db: Queryable,
  bot: string,
  { chatId, storm }: { chatId: number; storm: unknown },
): Promise<number> {
  const value = storm === null ? null : JSON.stringify(storm);
  return exec(
    db,
    sql`
    insert into telegram_chats (bot, chat_id, storm) values (${bot}, ${chatId}, ${value}::jsonb)
    on conflict (bot, chat_id) do update set storm = excluded.storm`,
  );
}

/** Chats in which a storm goes on. */
export function listStorms(db: Queryable, bot: string): Promise<ChatState[]> {
  return many(db, toChat, sql`select ${chatColumns} from telegram_chats where bot = ${bot} and storm is not null`);
}
