import { exec, maybeOne, type Queryable, sql } from "@signalbox/common/sql.ts";

export type Leadership = { epoch: number };

/**
 * Takes or keeps the lead of a bot; null while another instance holds it.
 *
 * @param isNew the lead begins (again): it gets a new epoch, so that what was left half done is told from what is under way
 * @param leaseMs how long it is held from now, by the database's clock
 */
export function holdLead(
  db: Queryable,
  { bot, holder, isNew, leaseMs }: { bot: string; holder: string; isNew: boolean; leaseMs: number },
): Promise<Leadership | null> {
  return maybeOne(
    db,
    (row) => ({ epoch: Number(row.epoch) }),
    sql`
    insert into telegram_leases as l (bot, holder, epoch, held_until)
    values (${bot}, ${holder}, 1, now() + ${leaseMs} * interval '1 ms')
    on conflict (bot) do update
       set holder = excluded.holder, held_until = excluded.held_until,
           epoch = l.epoch + case when ${isNew} then 1 else 0 end
     where (l.holder = excluded.holder and (${isNew} or l.held_until > now())) or (${isNew} and l.held_until < now())
    returning epoch`,
  );
}

/** Lets the next instance lead at once. */
export function releaseLead(db: Queryable, { bot, holder }: { bot: string; holder: string }): Promise<number> {
  return exec(
    db,
    sql`update telegram_leases set held_until = now() - interval '1 ms' where bot = ${bot} and holder = ${holder}`,
  );
}

/** A single value of the bot; undefined when none was kept. */
export async function findMemory(db: Queryable, bot: string, key: string): Promise<unknown> {
  const found = await maybeOne(
    db,
    (row) => ({ value: row.value }),
    sql`select value from telegram_memory where bot = ${bot} and key = ${key}`,
  );
  return found?.value;
}

export function keepMemory(
  db: Queryable,
  bot: string,
  { key, value }: { key: string; value: unknown },
): Promise<number> {
  return exec(
    db,
    sql`
    insert into telegram_memory (bot, key, value) values (${bot}, ${key}, ${JSON.stringify(value)}::jsonb)
    on conflict (bot, key) do update set value = excluded.value, updated_at = now()`,
  );
}
