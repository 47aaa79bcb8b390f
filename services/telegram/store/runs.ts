import { exec, many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { ChatRun } from "../chat-run.ts";

/** Written before the task is asked for; again for the same update it changes nothing. */
export function insertRun(
  db: Queryable,
  bot: string,
  run: Pick<ChatRun, "updateId" | "place" | "messageId" | "userId">,
): Promise<number> {
  const { updateId, place, messageId, userId } = run;
  return exec(
    db,
    sql`
    insert into telegram_runs (bot, update_id, chat_id, thread_id, message_id, user_id)
    values (${bot}, ${updateId}, ${place.chatId}, ${place.threadId}, ${messageId}, ${userId})
    on conflict (bot, update_id) do nothing`,
  );
}

export function nameRun(
  db: Queryable,
  bot: string,
  { updateId, taskId }: { updateId: number; taskId: string },
): Promise<number> {
  return exec(
    db,
    sql`
    update telegram_runs set task_id = ${taskId}
     where bot = ${bot} and update_id = ${updateId} and task_id is distinct from ${taskId}`,
  );
}

/** The task was never made. */
export function deleteRun(db: Queryable, bot: string, updateId: number): Promise<number> {
  return exec(db, sql`delete from telegram_runs where bot = ${bot} and update_id = ${updateId} and task_id is null`);
}

export function findRun(db: Queryable, bot: string, updateId: number): Promise<ChatRun | null> {
  return maybeOne(db, toRun, sql`select ${columns} from telegram_runs where bot = ${bot} and update_id = ${updateId}`);
}

/** Runs whose chats still wait for their end, oldest first. */
export function listOpenRuns(db: Queryable, bot: string): Promise<ChatRun[]> {
  return many(
    db,
    toRun,
    sql`select ${columns} from telegram_runs where bot = ${bot} and is_open order by update_id limit 1000`,
  );
}

/** Ends the wait of a run's chat, once: null when it had ended before. */
export function closeRun(db: Queryable, bot: string, updateId: number): Promise<ChatRun | null> {
  return maybeOne(
    db,
    toRun,
    sql`
    update telegram_runs set is_open = false, input_version = null, ended_at = now()
     where bot = ${bot} and update_id = ${updateId} and is_open
    returning ${columns}`,
  );
}

/** A task that had ended runs again. */
export function reopenRun(db: Queryable, bot: string, updateId: number): Promise<number> {
  return exec(
    db,
    sql`
    update telegram_runs set is_open = true, ended_at = null
     where bot = ${bot} and update_id = ${updateId} and not is_open`,
  );
}

/** @param version at which the task waits for the chat's answer; null when it does not */
export function keepInputVersion(
  db: Queryable,
  bot: string,
  { updateId, version }: { updateId: number; version: number | null },
): Promise<number> {
  return exec(
    db,
    sql`
    update telegram_runs set input_version = ${version}
     where bot = ${bot} and update_id = ${updateId} and is_open and input_version is distinct from ${version}`,
  );
}

/** The oldest run of a place that waits for an answer. */
export function findAskingRun(
  db: Queryable,
  bot: string,
  place: { chatId: number; threadId: number | null },
): Promise<ChatRun | null> {
  return maybeOne(
    db,
    toRun,
    sql`
    select ${columns} from telegram_runs
     where bot = ${bot} and chat_id = ${place.chatId} and thread_id is not distinct from ${place.threadId}::bigint
       and is_open and input_version is not null
     order by update_id limit 1`,
  );
}

const columns = sql`update_id, chat_id, thread_id, message_id, user_id, task_id, is_open, input_version,
  extract(epoch from now() - created_at) * 1000 as age_ms`;

function toRun(row: Row): ChatRun {
  return {
    updateId: Number(row.update_id),
    place: { chatId: Number(row.chat_id), threadId: row.thread_id === null ? null : Number(row.thread_id) },
    messageId: Number(row.message_id),
    userId: Number(row.user_id),
    taskId: row.task_id === null ? null : String(row.task_id),
    isOpen: row.is_open === true,
    inputVersion: row.input_version === null ? null : Number(row.input_version),
    ageMs: Number(row.age_ms),
  };
}
