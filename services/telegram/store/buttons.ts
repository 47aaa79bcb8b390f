import { exec, joinSql, many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { ButtonAction } from "../button.ts";

export type NewButton = {
  token: string;
  chatId: number;
  /** null: anybody who may talk to the bot */
  userId: number | null;
  action: ButtonAction;
  taskId: string;
  ifVersion: number | null;
  /** of the message that it stands under */
  slot: string;
  seconds: number;
};

export type StoredButton = Omit<NewButton, "seconds"> & { isExpired: boolean; messageId: number | null };

export async function insertButtons(db: Queryable, bot: string, buttons: readonly NewButton[]): Promise<number> {
  if (buttons.length === 0) return 0;
  const rows = buttons.map(
    ({ token, chatId, userId, action, taskId, ifVersion, slot, seconds }) => sql`
      (${token}, ${bot}, ${chatId}::bigint, ${userId}::bigint, ${action}, ${taskId}::uuid, ${ifVersion}::int, ${slot},
       now() + ${seconds} * interval '1 s')`,
  );
  return exec(
    db,
    sql`
    insert into telegram_buttons (token, bot, chat_id, user_id, action, task_id, if_version, slot, expires_at)
    values ${joinSql(rows, ", ")}
    on conflict (token) do update set expires_at = excluded.expires_at`,
  );
}

/** Null when nobody ever made such a button for this chat. */
export function findButton(
  db: Queryable,
  bot: string,
  { token, chatId }: { token: string; chatId: number },
): Promise<StoredButton | null> {
  return maybeOne(
    db,
    toButton,
    sql`
    select b.token, b.chat_id, b.user_id, b.action, b.task_id, b.if_version, b.slot, b.expires_at < now() as is_expired, o.message_id
      from telegram_buttons b
      left join telegram_outbox o on o.bot = b.bot and o.chat_id = b.chat_id and o.slot = b.slot
     where b.bot = ${bot} and b.token = ${token} and b.chat_id = ${chatId}`,
  );
}

function toButton(row: Row): StoredButton {
  return {
    token: String(row.token),
    chatId: Number(row.chat_id),
    userId: row.user_id === null ? null : Number(row.user_id),
    action: String(row.action) as ButtonAction,
    taskId: String(row.task_id),
    ifVersion: row.if_version === null ? null : Number(row.if_version),
    slot: String(row.slot),
    isExpired: row.is_expired === true,
    messageId: row.message_id === null ? null : Number(row.message_id),
  };
}

/** The version of a task that a chat was shown last with something to decide; null when it never was. */
export async function findShownVersion(
  db: Queryable,
  bot: string,
  { taskId, chatId }: { taskId: string; chatId: number },
): Promise<number | null> {
  const rows = await many(
    db,
    (row) => Number(row.if_version),
    sql`
    select b.if_version from telegram_buttons b
      join telegram_outbox o on o.bot = b.bot and o.chat_id = b.chat_id and o.slot = b.slot and o.status = 'sent'
     where b.task_id = ${taskId} and b.chat_id = ${chatId} and b.bot = ${bot} and b.if_version is not null
     order by b.created_at desc limit 1`,
  );
  return rows[0] ?? null;
}

/** Every chat that was shown a decision about a task, and the message that showed it. */
export function listShown(db: Queryable, bot: string, taskId: string): Promise<{ chatId: number; slot: string }[]> {
  return many(
    db,
    (row) => ({ chatId: Number(row.chat_id), slot: String(row.slot) }),
    sql`
    select distinct chat_id, slot from telegram_buttons
     where bot = ${bot} and task_id = ${taskId} and if_version is not null`,
  );
}
