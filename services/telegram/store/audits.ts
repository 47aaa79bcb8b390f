import { exec, many, type Queryable, sql } from "@signalbox/common/sql.ts";

/* What tasks are to be told of the messages that were sent because of them. */

export type Unaudited = {
  /** the row that was sent */
  outboxId: string;
  /** of a message about several: what it was told for */
  noticeId: string | null;
  taskId: string;
  chatId: number;
  messageId: number | null;
  isRepeat: boolean;
  isEdit: boolean;
};

/** Messages and edits about one task, whose audit does not know of them. */
export function listUnaudited(db: Queryable, bot: string, limit: number): Promise<Unaudited[]> {
  return many(
    db,
    (row) => ({ ...toUnaudited(row), noticeId: null, isEdit: row.edits !== null }),
    sql`
    select o.id as outbox_id, o.task_id, o.chat_id, coalesce(o.message_id, t.message_id) as message_id, o.is_repeat, o.edits
      from telegram_outbox o left join telegram_outbox t on t.id = o.edits
     where o.bot = ${bot} and o.status = 'sent' and o.task_id is not null and o.audited_at is null
     order by o.seq limit ${limit}`,
  );
}

/** Tasks that a message about several mentions, once everything that it is to say has been sent. */
export function listUnauditedMentions(db: Queryable, bot: string, limit: number): Promise<Unaudited[]> {
  return many(
    db,
    (row) => ({ ...toUnaudited(row), noticeId: String(row.notice_id), isEdit: false }),
    sql`
    select m.outbox_id, m.notice_id, m.task_id, o.chat_id, o.message_id, o.is_repeat
      from telegram_mentions m join telegram_outbox o on o.id = m.outbox_id
     where m.audited_at is null and o.bot = ${bot} and o.status = 'sent'
       and not exists (select 1 from telegram_outbox e where e.edits = o.id and e.status in ('queued', 'sending'))
     order by m.created_at, m.notice_id limit ${limit}`,
  );
}

function toUnaudited(row: Record<string, unknown>) {
  return {
    outboxId: String(row.outbox_id),
    taskId: String(row.task_id),
    chatId: Number(row.chat_id),
    messageId: row.message_id === null ? null : Number(row.message_id),
    isRepeat: row.is_repeat === true,
  };
}

export function markAudited(
  db: Queryable,
  { outboxId, noticeId }: Pick<Unaudited, "outboxId" | "noticeId">,
): Promise<number> {
  const row =
    noticeId === null
      ? sql`update telegram_outbox set audited_at = now() where id = ${outboxId}`
      : sql`update telegram_mentions set audited_at = now() where outbox_id = ${outboxId} and notice_id = ${noticeId}`;
  return exec(db, row);
}

export type Mention = { noticeId: string; taskId: string };

/** Says which tasks a message tells of; by its slot or by its dedupe key. Inside the transaction that makes or changes it. */
export async function insertMentions(
  db: Queryable,
  bot: string,
  {
    where,
    mentions,
  }: { where: { chatId: number; slot: string } | { dedupeKey: string }; mentions: readonly Mention[] },
): Promise<void> {
  if (mentions.length === 0) return;
  const place =
    "slot" in where
      ? sql`o.chat_id = ${where.chatId} and o.slot = ${where.slot}`
      : sql`o.dedupe_key = ${where.dedupeKey}`;
  await exec(
    db,
    sql`
    insert into telegram_mentions (outbox_id, notice_id, task_id)
    select o.id, m.notice_id, m.task_id
      from telegram_outbox o,
           unnest(${mentions.map(({ noticeId }) => noticeId)}::uuid[], ${mentions.map(({ taskId }) => taskId)}::uuid[])
             as m (notice_id, task_id)
     where o.bot = ${bot} and ${place}
    on conflict do nothing`,
  );
}
