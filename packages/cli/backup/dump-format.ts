/*
 * A logical backup: a gzip of lines, each one JSON. The first says what it is and of which schema, then comes each table with its rows, then
 * where the sequences stand, and at last how many rows there were: a file without its last line is half a backup and is refused.
 *
 * A row is what PostgreSQL itself writes of it (`row::text`), so every type comes back as it was, and nothing here knows any of them.
 */

export const dumpFormat = "signalbox-backup";

export type DumpHeader = {
  format: typeof dumpFormat;
  version: 1;
  at: string;
  /** major version of the server */
  server: number;
  /** names of the migrations that the schema has seen, in their order */
  migrations: string[];
  /** parts of partitioned tables, which a new schema may not have */
  partitions: { parent: string; name: string; bound: string }[];
};

export type DumpTable = { table: string; columns: string[] };
export type DumpSequences = { sequences: { name: string; last: string; isCalled: boolean }[] };
export type DumpEnd = { end: { rows: Record<string, number> } };

/** A text is a row of the table before it. */
export type DumpLine = DumpHeader | DumpTable | DumpSequences | DumpEnd | string;

/** The tables that hold what is kept; which migrations were applied is known from the header. */
export const schemaTable = "schema_migrations";
