import { exec, many, maybeOne, type Queryable, sql } from "@signalbox/common/sql.ts";
import type { ChangeSeen } from "../causes.ts";

export type Remembered = { value: unknown; version: number; updatedBy: string };

/** A single value; null when none was kept. */
export function findMemory(db: Queryable, key: string): Promise<Remembered | null> {
  return maybeOne(
    db,
    (row) => ({ value: row.value, version: Number(row.version), updatedBy: String(row.updated_by) }),
    sql`select value, version, updated_by from watch_memory where key = ${key}`,
  );
}

/**
 * Keeps a value.
 *
 * @param kept.ifVersion the version that was seen, 0 for none; null overwrites whatever there is
 * @returns its new version; null when it is another one by now
 */
export function keepMemory(
  db: Queryable,
  { key, value, by, ifVersion = null }: { key: string; value: unknown; by: string; ifVersion?: number | null },
): Promise<number | null> {
  const text = JSON.stringify(value);
  return maybeOne(
    db,
    (row) => Number(row.version),
    sql`
    insert into watch_memory as m (key, value, updated_by) select ${key}, ${text}::jsonb, ${by}
     where ${ifVersion}::integer is null or ${ifVersion}::integer = 0 or exists (select from watch_memory where key = ${key})
    on conflict (key) do update set value = excluded.value, version = m.version + 1, updated_by = excluded.updated_by, updated_at = now()
     where ${ifVersion}::integer is null or m.version = ${ifVersion}::integer
    returning version`,
  );
}

/** Changes that no task tells of; the same one twice is one. */
export async function insertChanges(db: Queryable, changes: readonly ChangeSeen[]): Promise<number> {
  if (changes.length === 0) return 0;
  return exec(
    db,
    sql`
    insert into watch_changes (kind, id, title, at)
    select * from unnest(${changes.map(({ kind }) => kind)}::text[], ${changes.map(({ id }) => id)}::text[],
      ${changes.map(({ title }) => title)}::text[], ${changes.map(({ at }) => new Date(at).toISOString())}::timestamptz[])
    on conflict do nothing`,
  );
}

export function listChanges(db: Queryable, from: number, to: number): Promise<ChangeSeen[]> {
  return many(
    db,
    (row) => ({
      kind: row.kind as ChangeSeen["kind"],
      id: String(row.id),
      title: String(row.title),
      at: (row.at as Date).getTime(),
    }),
    sql`
    select * from watch_changes
     where at >= ${new Date(from).toISOString()} and at < ${new Date(to).toISOString()} order by at desc limit 500`,
  );
}

/** Takes or keeps the lead, by the database's clock; false while another instance holds it. */
export async function holdLead(
  db: Queryable,
  { holder, leaseMs }: { holder: string; leaseMs: number },
): Promise<boolean> {
  const held = await exec(
    db,
    sql`
    insert into watch_leases as l (name, holder, held_until) values ('watch', ${holder}, now() + ${leaseMs} * interval '1 ms')
    on conflict (name) do update set holder = excluded.holder, held_until = excluded.held_until
     where l.holder = excluded.holder or l.held_until < now()`,
  );
  return held > 0;
}

/** Lets the next instance lead at once. */
export function releaseLead(db: Queryable, holder: string): Promise<number> {
  return exec(db, sql`delete from watch_leases where holder = ${holder}`);
}

/** What nobody asks for any more, by the database's clock. */
export async function forgetOld(db: Queryable): Promise<void> {
  await exec(db, sql`delete from watch_runs where asked_at < now() - interval '14 days' and state <> 'queued'`);
  await exec(db, sql`delete from watch_changes where at < now() - interval '90 days'`);
  await exec(db, sql`delete from watch_wakeup_fires where fired_at < now() - interval '90 days'`);
}
