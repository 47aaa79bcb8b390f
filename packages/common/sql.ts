import pg from "pg";

/** A statement whose values never touch its text. */
export type Sql = {
  readonly text: string;
  readonly values: readonly unknown[];
  /** see `prepared` */
  readonly name?: string;
};

/** A pool or a client inside a transaction. */
export type Queryable = {
  query(statement: Statement): Promise<{ rows: unknown[]; rowCount: number | null }>;
};
type Statement = { name?: string; text: string; values: unknown[] };

export type Row = Record<string, unknown>;

function isSql(value: unknown): value is Sql & { parts: readonly string[] } {
  return typeof value === "object" && value !== null && sqlMark in value;
}
const sqlMark = Symbol("sql");

/**
 * Tagged template for SQL: each `${value}` becomes a numbered parameter, each nested `sql` fragment is spliced in.
 * `undefined` is refused: it would be sent as null without anyone having said so.
 */
export function sql(strings: TemplateStringsArray, ...holes: unknown[]): Sql {
  const parts: string[] = [strings[0] ?? ""];
  const values: unknown[] = [];
  holes.forEach((hole, at) => {
    const after = strings[at + 1] ?? "";
    if (isSql(hole)) {
      const [first = "", ...rest] = hole.parts;
      parts[parts.length - 1] += first;
      for (const [index, part] of rest.entries()) push(hole.values[index], part);
      parts[parts.length - 1] += after;
    } else push(hole, after);
  });
  return build(parts, values);

  function push(value: unknown, after: string): void {
    if (value === undefined) throw new TypeError(`sql value ${values.length + 1} is undefined`);
    values.push(value);
    parts.push(after);
  }
}

/** Text that is part of the program, such as a column's name from a fixed table. Never a caller's input. */
export function rawSql(text: string): Sql {
  return build([text], []);
}

/** Fragments with a separator between them; empty list, empty text. */
export function joinSql(fragments: readonly Sql[], separator: string): Sql {
  return fragments.reduce((all, next, at) => (at === 0 ? next : sql`${all}${rawSql(separator)}${next}`), rawSql(""));
}

function build(parts: readonly string[], values: readonly unknown[]): Sql {
  let text: string | undefined;
  return {
    values,
    get text() {
      text ??= parts.reduce((all, part, at) => (at === 0 ? part : `${all}$${at}${part}`), "");
      return text;
    },
    [sqlMark]: true,
    parts,
  } as Sql;
}

/**
 * A statement that every connection parses and plans once, and keeps: for the few that run all the time, which cost as much
 * to plan as to run.
 *
 * Its text must always be the same, and its best plan must not hang on its values. It must name the columns that it answers
 * with: with a `*` it fails on every open connection ("cached plan must not change result type") as soon as a migration
 * adds one.
 *
 * @param name of this text alone, at most 63 bytes
 */
export function prepared(name: string, { text, values }: Sql): Sql {
  return { name, text, values };
}

function toStatement({ name, text, values }: Sql): Statement {
  const statement = { text, values: values as unknown[] };
  return name === undefined ? statement : { name, ...statement };
}

/** All rows of a statement, each through its one mapping. */
export async function many<T>(db: Queryable, toRow: (row: Row) => T, statement: Sql): Promise<T[]> {
  const { rows } = await db.query(toStatement(statement));
  return (rows as Row[]).map(toRow);
}

/** The only row, or null when there is none. */
export async function maybeOne<T>(db: Queryable, toRow: (row: Row) => T, statement: Sql): Promise<T | null> {
  const rows = await many(db, toRow, statement);
  if (rows.length > 1) throw new Error(`expected at most one row, got ${rows.length}`);
  return rows[0] ?? null;
}

/** The only row; none is a bug. What it is mapped to may be null. */
export async function one<T>(db: Queryable, toRow: (row: Row) => T, statement: Sql): Promise<T> {
  const row = await maybeOne(db, (found) => ({ value: toRow(found) }), statement);
  if (row === null) throw new Error("expected one row, got none");
  return row.value;
}

/** Runs a statement for its effect; the number of rows it touched. */
export async function exec(db: Queryable, statement: Sql): Promise<number> {
  const { rowCount } = await db.query(toStatement(statement));
  return rowCount ?? 0;
}

export type Pool = pg.Pool;

export type PoolOptions = {
  url: string;
  /** Shown in pg_stat_activity, so that an operator sees who holds what. */
  name: string;
  max?: number;
  statementTimeoutMs?: number;
  /**
   * Reads no table as a whole where an index serves. A plan that is kept (of a prepared statement, of a function) may be from a
   * time when the table was small, and a scan was right: with 20,000 rows it then costs a hundred times as much.
   */
  avoidsScans?: boolean;
  onError: (error: Error) => void;
};

/**
 * A pool with every bound set: connecting 3 s, statements 5 s, locks 2 s, idle transactions 5 s.
 * Its errors and its clients' errors go to `onError`: an unheard one would end the process.
 */
export function buildPool(options: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max: options.max ?? 10,
    connectionTimeoutMillis: 3_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: options.statementTimeoutMs ?? 5_000,
    lock_timeout: 2_000,
    idle_in_transaction_session_timeout: 5_000,
    // Each statement must see what was committed before it, whatever a database's own default is.
    options: `-c default_transaction_isolation=read\\ committed${options.avoidsScans ? " -c enable_seqscan=off" : ""}`,
    // The server's bound ends a statement; this one ends the wait when the server never answers.
    query_timeout: (options.statementTimeoutMs ?? 5_000) + 2_000,
    keepAlive: true,
  });
  pool.on("error", options.onError);
  pool.on("connect", (client) => client.on("error", options.onError));
  return pool;
}

/**
 * Runs `work` in one transaction at READ COMMITTED; any throw rolls back and is passed on.
 *
 * @param lockTimeoutMs how long each lock is waited for, where the pool's 2 s are too short: many people at one row queue up
 */
export async function transaction<T>(
  pool: Pool,
  work: (db: Queryable) => Promise<T>,
  lockTimeoutMs?: number,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const patience = lockTimeoutMs === undefined ? "" : `; set local lock_timeout = ${Math.round(lockTimeoutMs)}`;
  try {
    await client.query(`begin isolation level read committed${patience}`);
    const value = await work(client);
    await client.query("commit");
    return value;
  } catch (error) {
    await client.query("rollback").catch((cause: Error) => {
      broken = cause;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
