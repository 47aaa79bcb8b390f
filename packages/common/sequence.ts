import { rawSql, type Sql } from "./sql.ts";

/**
 * An expression: the last number that was drawn from a sequence; 0 when none was.
 *
 * Not `select last_value from <sequence>`: `nextval` writes the row in place, and every 32nd time puts a number there that is up to
 * 32 too high while it makes its WAL record. A select does not hold the page's lock when it reads the row, and sees that number now
 * and then (one of 5,000 reads under load, PostgreSQL 18). This function holds the lock; it is what the view `pg_sequences` reads.
 *
 * @param name of the program's own, never a caller's input
 */
export function lastDrawn(name: string): Sql {
  return rawSql(`coalesce(pg_sequence_last_value('${name}'), 0)`);
}
