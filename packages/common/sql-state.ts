/** The SQLSTATE of a database error, told by its shape so that nobody needs the driver for it; null for anything else. */
export function sqlState(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || !("severity" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

/** The states that somebody waits for, by PostgreSQL's own names. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const sqlStates = {
  uniqueViolation: "23505",
  foreignKeyViolation: "23503",
  lockNotAvailable: "55P03",
  queryCanceled: "57014",
} as const;
