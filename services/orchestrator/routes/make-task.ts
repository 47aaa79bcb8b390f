import { randomBytes } from "node:crypto";
import type { Principal } from "@signalbox/common/auth.ts";
import type { CreateTask, Task } from "@signalbox/common/contracts/task.ts";
import { ApiError, invalidRequest, unavailable } from "@signalbox/common/errors.ts";
import { sqlState, sqlStates } from "@signalbox/common/sql-state.ts";
import type { Trace } from "@signalbox/common/trace.ts";
import type { Context } from "../context.ts";
import { type Caller, hashBody, toNewTask } from "../new-task.ts";
import { findSecretMembers, type Sealed, sealPayload } from "../secret-members.ts";
import type { TypeEntry } from "../type-book.ts";

export type Wanted = {
  id: string;
  body: CreateTask;
  type: TypeEntry;
  caller: Caller;
  /** the caller's Idempotency-Key */
  key: string | null;
  /** what the key is bound to, when that is more than `body` */
  hashed?: unknown;
  /** the original of a signal, for the agent only */
  raw?: unknown;
};

/**
 * Who wants a task made. What a service asks for in a person's name is that person's own call.
 *
 * @throws ApiError 403 when the name is an agent's
 */
export async function readCaller(
  { store }: Context,
  principal: Principal | null,
  { actor, trace }: Posted,
): Promise<Caller> {
  const { traceId, correlationId } = trace;
  const userKey = principal?.kind === "internal" ? principal.onBehalfOf : undefined;
  if (userKey === undefined) return { actor, isPerson: principal?.kind === "person", traceId, correlationId };
  if (await store.isAgent(userKey)) {
    throw new ApiError("forbidden", "X-On-Behalf-Of must be the user key of a person, and this is an agent.");
  }
  return { actor, isPerson: true, userKey, traceId, correlationId };
}

type Posted = { actor: string; trace: Trace };

/** @throws ApiError 422 when no agent has ever registered the type, 400 when its schema refuses the payload */
export async function findType(context: Context, body: CreateTask): Promise<TypeEntry> {
  const type = await context.catalog.find(body.type);
  if (type === null) {
    const message = `No agent has ever registered the type "${body.type}"; GET /task-types lists those that are known.`;
    throw new ApiError("unsupported_task_type", message);
  }
  context.catalog.checkPayload(type, body.payload === undefined ? {} : body.payload);
  return type;
}

/** Stores a task, or finds the one that its Idempotency-Key made before. */
export async function storeTask(context: Context, wanted: Wanted): Promise<{ task: Task; isReplay: boolean }> {
  const { id, body, type, caller, key, raw } = wanted;
  const idempotency = key === null ? null : { key, bodyHash: hashBody(wanted.hashed ?? body) };
  const task = toNewTask(id, body, type, caller);
  const made = await context
    .insertTask({
      ...task,
      ...takeSecrets(context, type, { id, payload: task.payload }),
      raw: raw ?? null,
      idempotency,
    })
    .catch((error: unknown) => {
      if (sqlState(error) === sqlStates.foreignKeyViolation)
        throw invalidRequest("/parentId", "names a task that does not exist");
      throw error;
    });
  if (made !== null) return { task: made, isReplay: false };
  if (idempotency === null) throw new Error("a task without an idempotency key was not stored");
  const first = await context.store.getReplayed(idempotency.key);
  if (first.bodyHash.equals(idempotency.bodyHash)) return { task: first.task, isReplay: true };
  throw new ApiError(
    "idempotency_conflict",
    `This Idempotency-Key came with another body before and made task ${first.task.id}; use a new key for a new task.`,
    { details: [{ taskId: first.task.id }] },
  );
}

/**
 * The payload without its secrets, and the secrets encrypted.
 *
 * @throws ApiError 503 when there are secrets and no key to encrypt them with
 */
export function takeSecrets(
  { sealingKey }: Context,
  { payloadSchema }: TypeEntry,
  task: { id: string; payload: unknown; kept?: Sealed | null },
): { payload: unknown; secrets: Sealed | null } {
  const pointers = payloadSchema === null ? [] : findSecretMembers(payloadSchema, task.payload);
  if (pointers.length === 0) return { payload: task.payload, secrets: null };
  if (sealingKey === null) {
    throw unavailable("This task's payload holds secrets, and SECRETS_KEY is not set; nothing was stored.", 60);
  }
  const { payload, sealed } = sealPayload(task.payload, pointers, {
    key: sealingKey,
    taskId: task.id,
    kept: task.kept ?? null,
    nonce: () => randomBytes(12),
  });
  return { payload, secrets: sealed };
}

/** @throws ApiError 400 */
export function parseKey(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header !== "string" || header.length < 1 || header.length > 255) {
    throw invalidRequest("", "has an Idempotency-Key that is empty, repeated or longer than 255 characters");
  }
  return header;
}
