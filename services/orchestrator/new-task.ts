import { createHash } from "node:crypto";
import type { CreateTask } from "@signalbox/common/contracts/task.ts";
import type { TypeEntry } from "./type-book.ts";

/** A task to be stored: every default is already decided, `runAt` null means now by the database's clock. */
export type NewTask = {
  id: string;
  type: string;
  source: string;
  payload: unknown;
  correlationId: string | null;
  traceId: string;
  priority: number;
  maxAttempts: number;
  runAt: string | null;
  timeoutMs: number;
  concurrencyKey: string | null;
  userKey: string | null;
  parentId: string | null;
  approval: { reason: string | null; expiresInSeconds: number | null } | null;
  /** The original of a signal; only the agent gets it. */
  raw: unknown;
  /** The payload's secret members, encrypted. */
  secrets: Record<string, string> | null;
  actor: string;
  idempotency: { key: string; bodyHash: Buffer } | null;
};

const defaultMaxAttempts = 3;
const defaultTimeoutMs = 30_000;

/** Who posts, or for whom, and what came with the request besides its body. */
export type Caller = {
  actor: string;
  isPerson: boolean;
  userKey?: string;
  traceId: string;
  correlationId: string | null;
};

/** Decides every default, so that what is stored does not change when a default does. */
export function toNewTask(
  id: string,
  body: CreateTask,
  type: TypeEntry,
  caller: Caller,
): Omit<NewTask, "idempotency" | "raw" | "secrets"> {
  return {
    id,
    type: body.type,
    source: body.source ?? toSource(caller),
    payload: body.payload === undefined ? {} : body.payload,
    correlationId: body.correlationId ?? caller.correlationId,
    traceId: body.traceId ?? caller.traceId,
    priority: body.priority ?? 0,
    maxAttempts: body.maxAttempts ?? defaultMaxAttempts,
    // As UTC: PostgreSQL refuses offsets of 16 h and more, and rounds up into a year of five digits.
    runAt: body.runAt === undefined ? null : new Date(body.runAt).toISOString(),
    timeoutMs: body.timeoutMs ?? type.timeoutMs ?? defaultTimeoutMs,
    concurrencyKey: body.concurrencyKey ?? null,
    userKey: body.userKey ?? caller.userKey ?? null,
    parentId: body.parentId ?? null,
    approval: toApproval(body, type, caller),
    actor: caller.actor,
  };
}

function toSource({ isPerson, userKey }: Caller): string {
  return isPerson && userKey === undefined ? "api" : "internal";
}

/** A type's demand holds for everybody but a person, whose own call is its consent; a creator's own demand holds always. */
function toApproval(body: CreateTask, type: TypeEntry, caller: Caller): NewTask["approval"] {
  const demanded = body.approval?.required === true || (type.approvalRequired && !caller.isPerson);
  if (!demanded) return null;
  return { reason: body.approval?.reason ?? null, expiresInSeconds: body.approval?.expiresInSeconds ?? null };
}

/** Equal for equal JSON, whatever the order of its members. */
export function hashBody(body: unknown): Buffer {
  const ordered = JSON.stringify(body, (_key, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash("sha256").update(ordered).digest();
}

/** Seconds of `Prefer: wait=N`; at most 60, null when it is not asked for. */
export function parseWait(prefer: string | string[] | undefined): number | null {
  const text = Array.isArray(prefer) ? prefer.join(",") : (prefer ?? "");
  const found = /(?:^|[,;\s])wait\s*=\s*(\d{1,6})(?:$|[,;\s])/i.exec(text);
  return found ? Math.min(60, Number(found[1])) : null;
}
