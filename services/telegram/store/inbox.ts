import { exec, joinSql, many, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";

export type InboxUpdate = { updateId: number; line: string; raw: unknown; attempts: number };
export type NewUpdate = { updateId: number; line: string; raw: unknown };

/** Stores updates, each number once; how many of them were new. `gapMs` is for those that may have overtaken others. */
export async function insertUpdates(
  db: Queryable,
  bot: string,
  { updates, gapMs }: { updates: readonly NewUpdate[]; gapMs: number | null },
): Promise<number> {
  if (updates.length === 0) return 0;
  const gap = gapMs === null ? sql`null::timestamptz` : sql`now() + ${gapMs} * interval '1 ms'`;
  const rows = updates.map(
    ({ updateId, line, raw }) =>
      sql`(${bot}::text, ${updateId}::bigint, ${line}::text, ${JSON.stringify(raw)}::jsonb, ${gap})`,
  );
  return exec(
    db,
    sql`
    insert into telegram_inbox (bot, update_id, line, raw, gap_until) values ${joinSql(rows, ", ")}
    on conflict (bot, update_id) do nothing`,
  );
}

/**
 * The first update of every line that may be worked off now, lines in `busy` left out. One that came by a webhook waits while a number
 * before it is missing, its own or that of an earlier one, but no longer than its gap was given.
 */
export function listReadyUpdates(
  db: Queryable,
  bot: string,
  { busy, limit }: { busy: readonly string[]; limit: number },
): Promise<InboxUpdate[]> {
  return many(
    db,
    toInboxUpdate,
    sql`
    with heads as (
      select distinct on (line) update_id, line, raw, attempts, not_before
        from telegram_inbox
       where bot = ${bot} and status = 'new' and line <> all(${busy}::text[])
       order by line, update_id
    )
    select h.update_id, h.line, h.raw, h.attempts from heads h
     where h.not_before <= now()
       and not exists (
         select 1 from telegram_inbox g
          where g.bot = ${bot} and g.status = 'new' and g.update_id <= h.update_id and g.gap_until > now()
            and not exists (select 1 from telegram_inbox p where p.bot = ${bot} and p.update_id = g.update_id - 1))
     order by h.update_id
     limit ${limit}`,
  );
}

function toInboxUpdate(row: Row): InboxUpdate {
  return {
    updateId: Number(row.update_id),
    line: String(row.line),
    raw: row.raw,
    attempts: Number(row.attempts),
  };
}

/** Ends the work on an update; nothing happens when it had ended before. */
export function endUpdate(
  db: Queryable,
  bot: string,
  end: { updateId: number; status: "done" | "failed"; note: string },
): Promise<number> {
  return exec(
    db,
    sql`
    update telegram_inbox set status = ${end.status}, note = ${end.note.slice(0, 500)}, done_at = now()
     where bot = ${bot} and update_id = ${end.updateId} and status = 'new'`,
  );
}

/** Puts an update off; it keeps its place in its line. */
export function deferUpdate(
  db: Queryable,
  bot: string,
  { updateId, delayMs }: { updateId: number; delayMs: number },
): Promise<number> {
  return exec(
    db,
    sql`
    update telegram_inbox set attempts = attempts + 1, not_before = now() + ${delayMs} * interval '1 ms'
     where bot = ${bot} and update_id = ${updateId} and status = 'new'`,
  );
}

/** How long until the first update that waits is due, in ms; null when none waits. */
export async function findInboxDelay(db: Queryable, bot: string): Promise<number | null> {
  const rows = await many(
    db,
    (row) => (row.ms === null ? null : Number(row.ms)),
    sql`
    select extract(epoch from min(greatest(not_before, least(gap_until, now() + interval '1 s'))) - now()) * 1000 as ms
      from telegram_inbox where bot = ${bot} and status = 'new'`,
  );
  return rows[0] ?? null;
}
