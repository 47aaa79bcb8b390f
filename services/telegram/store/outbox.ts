import { exec, joinSql, many, maybeOne, type Queryable, type Row, rawSql, sql } from "@signalbox/common/sql.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { MessageBody } from "../message.ts";

export type NewMessage = {
  chatId: number;
  threadId: number | null;
  body: MessageBody;
  /** the same key again sends nothing */
  dedupeKey?: string | null;
  /** names it, so that it can be edited later */
  slot?: string | null;
  /** whose audit tells of it */
  taskId?: string | null;
  delayMs?: number;
};

export type OutMessage = {
  id: string;
  place: { chatId: number; threadId: number | null };
  body: MessageBody;
  attempts: number;
  isRepeat: boolean;
  taskId: string | null;
  /** the message that is edited; null for a new one */
  edits: { id: string; messageId: number } | null;
  /** the message that it follows, when that was named by its slot and has been sent */
  replyTo: number | null;
};

/** Puts messages at the end of their chats' lines; those whose key is known are left out. How many were new. */
export async function enqueueMessages(db: Queryable, bot: string, messages: readonly NewMessage[]): Promise<number> {
  if (messages.length === 0) return 0;
  const rows = messages.map(
    ({ chatId, threadId, body, dedupeKey = null, slot = null, taskId = null, delayMs = 0 }) => sql`
      (${uuidv7()}::uuid, ${bot}::text, ${chatId}::bigint, ${threadId}::bigint, ${JSON.stringify(body)}::jsonb,
       ${dedupeKey}::text, ${slot}::text, ${taskId}::uuid, now() + ${delayMs} * interval '1 ms')`,
  );
  return exec(
    db,
    sql`
    insert into telegram_outbox (id, bot, chat_id, thread_id, body, dedupe_key, slot, task_id, not_before)
    values ${joinSql(rows, ", ")}
    on conflict do nothing`,
  );
}

/**
 * Sets what a named message says: as long as it has not left its text is replaced, afterwards it is edited, at most once in `spacingMs`.
 * Inside a transaction. What comes of a message that does not exist yet: it is made, or with `onlyEdit` nothing.
 */
export async function setMessage(
  db: Queryable,
  bot: string,
  message: NewMessage & { slot: string; onlyEdit?: boolean; spacingMs: number },
): Promise<void> {
  if (message.onlyEdit !== true && (await enqueueMessages(db, bot, [message])) > 0) return;
  const found = await maybeOne(
    db,
    (row) => ({ id: String(row.id), status: String(row.status) }),
    sql`
    select id, status from telegram_outbox
     where bot = ${bot} and chat_id = ${message.chatId} and slot = ${message.slot} for update`,
  );
  const body = JSON.stringify(message.body);
  if (found?.status === "queued") {
    // Sooner is allowed, later is not: what waits must not wait longer because more comes.
    const due = sql`now() + ${message.delayMs ?? 0} * interval '1 ms'`;
    await exec(
      db,
      sql`update telegram_outbox set body = ${body}::jsonb, not_before = least(not_before, ${due}) where id = ${found.id}`,
    );
  } else if (found?.status === "sending" || found?.status === "sent") {
    await exec(db, toEdit(bot, { message, target: found.id, body }));
  }
}

function toEdit(
  bot: string,
  { message, target, body }: { message: NewMessage & { spacingMs: number }; target: string; body: string },
) {
  return sql`
    insert into telegram_outbox (id, bot, chat_id, thread_id, body, edits, task_id, not_before)
    select ${uuidv7()}::uuid, ${bot}, t.chat_id, t.thread_id, ${body}::jsonb, t.id, ${message.taskId ?? null}::uuid,
           greatest(now() + ${message.delayMs ?? 0} * interval '1 ms', t.sent_at + ${message.spacingMs} * interval '1 ms', now())
      from telegram_outbox t where t.id = ${target}
    on conflict (edits) where status = 'queued' do update set body = excluded.body`;
}

/**
 * Claims the next message of every chat that is not busy: first what is new, in its order, then edits of what has been sent. What an
 * earlier leader was sending when it ended is claimed again as a repeat.
 */
export function claimMessages(
  db: Queryable,
  bot: string,
  { epoch, busy, limit }: { epoch: number; busy: readonly number[]; limit: number },
): Promise<OutMessage[]> {
  return many(
    db,
    toOutMessage,
    sql`
    with heads as (
      select distinct on (chat_id) id, chat_id, not_before, 0 as rank
        from telegram_outbox
       where bot = ${bot} and status = 'queued' and edits is null and chat_id <> all(${busy}::bigint[])
         -- What is planned for later stands in nobody's way; what was refused for a while keeps its place.
         and (attempts > 0 or not_before <= now())
       order by chat_id, seq
    ), changes as (
      select distinct on (o.chat_id) o.id, o.chat_id, o.not_before, 1 as rank
        from telegram_outbox o join telegram_outbox t on t.id = o.edits
       where o.bot = ${bot} and o.status = 'queued' and o.not_before <= now() and t.status = 'sent'
         and o.chat_id <> all(${busy}::bigint[])
       order by o.chat_id, o.seq
    ), picked as (
      select distinct on (chat_id) id from (select * from heads where not_before <= now() union all select * from changes) ready
       order by chat_id, rank
    )
    update telegram_outbox o
       set status = 'sending', epoch = ${epoch}, attempts = attempts + 1
      from (select id from picked limit ${limit}) p
     where o.id = p.id and o.status = 'queued'
    returning o.*,
      (select t.message_id from telegram_outbox t where t.id = o.edits) as target_message_id,
      (select r.message_id from telegram_outbox r
        where r.bot = o.bot and r.chat_id = o.chat_id and r.slot = o.body ->> 'replySlot') as reply_message_id`,
  );
}

function toOutMessage(row: Row): OutMessage {
  return {
    id: String(row.id),
    place: { chatId: Number(row.chat_id), threadId: row.thread_id === null ? null : Number(row.thread_id) },
    body: row.body as MessageBody,
    attempts: Number(row.attempts),
    isRepeat: row.is_repeat === true,
    taskId: row.task_id === null ? null : String(row.task_id),
    edits: row.edits === null ? null : { id: String(row.edits), messageId: Number(row.target_message_id) },
    replyTo: row.reply_message_id === null ? null : Number(row.reply_message_id),
  };
}

/** What earlier leaders were sending when they ended may have arrived: it is sent again, and marked; edits are simply made again. */
export function requeueOrphans(db: Queryable, bot: string, epoch: number): Promise<number> {
  return exec(
    db,
    sql`
    update telegram_outbox o set status = 'queued', is_repeat = is_repeat or edits is null
     where bot = ${bot} and status = 'sending' and epoch < ${epoch}
       and not exists (select 1 from telegram_outbox w where w.edits = o.edits and w.status = 'queued')`,
  );
}

type Held = { id: string; epoch: number };

/** Nothing happens when another leader has taken it over. */
export async function markSent(
  db: Queryable,
  { id, epoch, messageId }: Held & { messageId: number | null },
): Promise<void> {
  await exec(
    db,
    sql`
    with sent as (
      update telegram_outbox set status = 'sent', sent_at = now(), error = null, message_id = ${messageId}
       where id = ${id} and epoch = ${epoch} and status = 'sending'
      returning edits
    )
    update telegram_outbox t set sent_at = now() from sent where t.id = sent.edits`,
  );
}

/** Puts it back in its place. An edit gives way when a newer one waits already. */
export async function putBack(
  db: Queryable,
  { id, epoch, delayMs, isRepeat, error }: Held & { delayMs: number; isRepeat: boolean; error: string },
): Promise<void> {
  await exec(
    db,
    sql`
    update telegram_outbox o
       set status = case when exists (select 1 from telegram_outbox w where w.edits = o.edits and w.status = 'queued')
                         then 'failed' else 'queued' end,
           not_before = now() + ${delayMs} * interval '1 ms', is_repeat = is_repeat or ${isRepeat}, error = ${error.slice(0, 500)}
     where id = ${id} and epoch = ${epoch} and status = 'sending'`,
  );
}

export function markFailed(db: Queryable, { id, epoch, error }: Held & { error: string }): Promise<number> {
  return exec(
    db,
    sql`
    update telegram_outbox set status = 'failed', sent_at = now(), error = ${error.slice(0, 500)}
     where id = ${id} and epoch = ${epoch} and status = 'sending'`,
  );
}

/** The message that an edit meant is gone: what it should say is sent as a new one, under the same name. */
export function sendAnew(db: Queryable, { id, epoch }: Held): Promise<number> {
  return exec(
    db,
    sql`
    with edit as (
      update telegram_outbox set status = 'failed', sent_at = now(), error = 'the message was gone; a new one was sent'
       where id = ${id} and epoch = ${epoch} and status = 'sending'
      returning edits, body
    )
    update telegram_outbox t set status = 'queued', body = edit.body, message_id = null, not_before = now()
      from edit where t.id = edit.edits`,
  );
}

/** A chat that cannot be written to any more: nothing waits for it. */
export async function closeChat(
  db: Queryable,
  bot: string,
  { chatId, because }: { chatId: number; because: string | null },
): Promise<void> {
  await exec(
    db,
    sql`
    insert into telegram_chats (bot, chat_id, closed_because) values (${bot}, ${chatId}, ${because})
    on conflict (bot, chat_id) do update set closed_because = excluded.closed_because`,
  );
  if (because === null) return;
  await exec(
    db,
    sql`
    update telegram_outbox set status = 'failed', sent_at = now(), error = ${because}
     where bot = ${bot} and chat_id = ${chatId} and status = 'queued'`,
  );
}

/** A group got a new number: what was to go to the old one goes to the new one. */
export async function moveChat(db: Queryable, bot: string, { from, to }: { from: number; to: number }): Promise<void> {
  await exec(
    db,
    sql`
    insert into telegram_chats (bot, chat_id, moved_to) values (${bot}, ${from}, ${to})
    on conflict (bot, chat_id) do update set moved_to = excluded.moved_to`,
  );
  for (const table of ["telegram_outbox", "telegram_runs", "telegram_buttons"]) {
    const open = table === "telegram_outbox" ? sql`and status in ('queued', 'sending')` : sql``;
    await exec(db, sql`update ${rawSql(table)} set chat_id = ${to} where bot = ${bot} and chat_id = ${from} ${open}`);
  }
}

/** How long until something more may be sent, in ms; null when nothing waits for its time. */
export async function findOutboxDelay(db: Queryable, bot: string): Promise<number | null> {
  const rows = await many(
    db,
    (row) => (row.ms === null ? null : Number(row.ms)),
    sql`
    select extract(epoch from min(not_before) - now()) * 1000 as ms
      from telegram_outbox where bot = ${bot} and status = 'queued' and not_before > now()`,
  );
  return rows[0] ?? null;
}
