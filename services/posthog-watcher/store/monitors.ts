import { many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { MonitorDefinition } from "../monitor.ts";

export type StoredMonitor = {
  name: string;
  definition: MonitorDefinition;
  version: number;
  updatedBy: string;
  updatedAt: string;
};

function toStored(row: Row): StoredMonitor {
  return {
    name: String(row.name),
    definition: row.definition as MonitorDefinition,
    version: Number(row.version),
    updatedBy: String(row.updated_by),
    updatedAt: (row.updated_at as Date).toISOString(),
  };
}

export function listMonitors(db: Queryable): Promise<StoredMonitor[]> {
  return many(db, toStored, sql`select * from watch_monitors order by name`);
}

export function findMonitor(db: Queryable, name: string): Promise<StoredMonitor | null> {
  return maybeOne(db, toStored, sql`select * from watch_monitors where name = ${name}`);
}

/**
 * Makes or replaces a monitor.
 *
 * @param version the version that it replaces; null: there is none yet, and the new one has `first`
 * @returns null when there is another version, or one where none should be
 */
export function putMonitor(
  db: Queryable,
  {
    name,
    definition,
    version,
    first,
    by,
  }: { name: string; definition: MonitorDefinition; version: number | null; first: number; by: string },
): Promise<StoredMonitor | null> {
  const text = JSON.stringify(definition);
  if (version !== null) {
    return maybeOne(
      db,
      toStored,
      sql`
      update watch_monitors set definition = ${text}::jsonb, version = version + 1, updated_by = ${by}, updated_at = now()
       where name = ${name} and version = ${version} returning *`,
    );
  }
  return maybeOne(
    db,
    toStored,
    sql`
    insert into watch_monitors (name, definition, version, updated_by) values (${name}, ${text}::jsonb, ${first}, ${by})
    on conflict (name) do nothing returning *`,
  );
}
