import { type ErrorCode, errorStatuses } from "./contracts/errors.ts";

export type ErrorDetail = { path: string; message: string };

export type ApiErrorOptions = {
  details?: unknown[];
  /** sent with the answer, such as `retry-after` */
  headers?: Record<string, string>;
  cause?: unknown;
};

/**
 * What ends a request with an answer that its caller can act on. The status follows from the code, so that the same
 * code never comes with two statuses. Anything else that is thrown is a bug and becomes 500 `internal`.
 */
export class ApiError extends Error {
  readonly status: number;
  readonly code: ErrorCode;
  readonly details: unknown[] | undefined;
  readonly headers: Record<string, string>;

  constructor(code: ErrorCode, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ApiError";
    this.status = errorStatuses[code];
    this.code = code;
    this.details = options.details;
    this.headers = options.headers ?? {};
  }
}

/** 404 for a thing that is looked up by its id. */
export function notFound(what: string, id: string): ApiError {
  return new ApiError("not_found", `There is no ${what} with the id ${quote(id)}; check the id, or list what exists.`);
}

/**
 * 400 for one member of the input.
 *
 * @param path JSON Pointer into the body, query or path parameters, such as `/runAt`; "" for the whole
 */
export function invalidRequest(path: string, message: string): ApiError {
  return invalidInput([{ path, message }]);
}

/** More than this many details help nobody, and an answer must not grow with what was sent. */
const maxDetails = 20;

export function invalidInput(problems: ErrorDetail[]): ApiError {
  const [first = { path: "", message: "is not valid" }] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more, see details)` : "";
  const subject = first.path === "" ? "The request" : first.path;
  return new ApiError("invalid_request", `${subject} ${first.message}${more}`, {
    details: problems.slice(0, maxDetails),
  });
}

/** 503 with `Retry-After`: something that this service needs is away for now. */
export function unavailable(message: string, retryAfterSeconds: number, cause?: unknown): ApiError {
  return new ApiError("unavailable", message, { headers: { "retry-after": String(retryAfterSeconds) }, cause });
}

/** 429 with `Retry-After`. */
export function rateLimited(message: string, retryAfterSeconds: number): ApiError {
  return new ApiError("rate_limited", message, { headers: { "retry-after": String(Math.ceil(retryAfterSeconds)) } });
}

/** Codes of Node and of PostgreSQL that mean "away or too busy", not "wrong": the same request may succeed later. */
const transientCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ETIMEDOUT",
  "EPIPE",
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "25006", // read_only_sql_transaction: a standby that is about to be, or was, the primary
  "53100", // disk_full
  "53200", // out_of_memory: also a full lock table
  "53300", // too_many_connections
  "55P03", // lock_not_available
  "57014", // query_canceled: statement_timeout
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "25P03", // idle_in_transaction_session_timeout
]);

/** node-pg gives these no code: https://github.com/brianc/node-postgres, pg-pool/index.js and pg/lib/client.js */
const transientMessages =
  /^(timeout exceeded when trying to connect|Connection terminated|Client has encountered|Client was closed|Query read timeout)/;

export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError && error.errors.some(isTransient)) return true;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return transientCodes.has(code) || code.startsWith("08") || transientMessages.test(error.message);
}

/** The one mapping of whatever was thrown to what its caller is told. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (isTransient(error)) {
    return unavailable("Something this service needs is away or too busy; try again shortly.", 1, error);
  }
  return new ApiError("internal", "Something went wrong here; it is logged under the trace id.", { cause: error });
}

/** Ids come from callers and may be long or unprintable; a message stays readable. */
function quote(id: string): string {
  return JSON.stringify(id.length > 100 ? `${id.slice(0, 100)}…` : id);
}
