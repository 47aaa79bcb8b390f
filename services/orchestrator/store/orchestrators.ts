import { exec, many, type Queryable, sql } from "@signalbox/common/sql.ts";

/**
 * Says that this orchestrator lives, and who else does, in an order that all of them agree on. One that was killed is gone as
 * soon as its connections are; one that is frozen keeps them, and is gone when it was not seen for `absentMs`.
 */
export function attend(db: Queryable, owner: string, absentMs: number): Promise<string[]> {
  return many(
    db,
    (row) => row.owner as string,
    sql`
    with me as (
      insert into orchestrators (owner) values (${owner}) on conflict (owner) do update set seen_at = now() returning owner
    ),
    old as (delete from orchestrators where seen_at < now() - interval '1 hour'),
    connected as materialized (select distinct application_name as name from pg_stat_activity where datname = current_database())
    select owner from me
    union
    select o.owner from orchestrators o
     where o.seen_at > now() - ${absentMs} * interval '1 ms' and o.owner <> ${owner}
       and (exists (select 1 from connected c where c.name = ${connectionNameOf("")} || o.owner)
            -- Behind a pooler that hides the names, only the time tells.
            or not exists (select 1 from connected c where c.name = ${connectionNameOf(owner)}))
     order by owner`,
  );
}

export async function leave(db: Queryable, owner: string): Promise<void> {
  await exec(db, sql`delete from orchestrators where owner = ${owner}`);
}

/** What an orchestrator calls its connections; PostgreSQL keeps 63 bytes of it. */
export function connectionNameOf(owner: string): string {
  return `signalbox ${owner}`;
}
