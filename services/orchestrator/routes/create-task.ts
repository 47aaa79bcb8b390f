import { CreateTask, Task } from "@signalbox/common/contracts/task.ts";
import { ApiError, invalidRequest } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { sqlState } from "@signalbox/common/sql-state.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { Context } from "../context.ts";
import { type Caller, hashBody, parseWait, toNewTask } from "../new-task.ts";
import type { TypeEntry } from "../type-book.ts";

type Made = { task: Task; isReplay: boolean };

export const createTask = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/task",
    aliases: ["/tasks"],
    auth: "any",
    summary: "Make a task; 201 means that it and its `created` event are committed",
    body: CreateTask,
    replies: { 200: Task, 201: Task },
    async handle({ body, headers, principal, actor, trace, signal }) {
      const type = await findType(context, body);
      const { traceId, correlationId } = trace;
      const caller: Caller = { actor, isPerson: principal?.kind === "person", traceId, correlationId };
      const id = uuidv7();
      const waitSeconds = parseWait(headers.prefer);
      const watch = waitSeconds === null ? null : context.waiters.watch(id);
      try {
        const made = await store(context, { id, body, type, caller, key: parseKey(headers["idempotency-key"]) });
        if (made.isReplay) return { ...toReply(made.task), status: 200, headers: { "idempotent-replayed": "true" } };
        const isTimed = body.runAt !== undefined || made.task.approval !== null;
        context.changed({ claimable: made.task.status === "queued", timed: isTimed });
        if (watch === null) return toReply(made.task);
        const ended = await watch.ended((waitSeconds ?? 0) * 1_000, signal);
        return toReply(ended ?? (await context.store.findTask(id)) ?? made.task);
      } finally {
        watch?.stop();
      }
    },
  });

function toReply(task: Task) {
  return { status: 201, body: task, etag: task.version, location: `/task/${task.id}` };
}

async function findType(context: Context, body: CreateTask): Promise<TypeEntry> {
  const type = await context.catalog.find(body.type);
  if (type === null) {
    const message = `No agent has ever registered the type "${body.type}"; GET /task-types lists those that are known.`;
    throw new ApiError("unsupported_task_type", message);
  }
  context.catalog.checkPayload(type, body.payload === undefined ? {} : body.payload);
  return type;
}

async function store(
  context: Context,
  wanted: { id: string; body: CreateTask; type: TypeEntry; caller: Caller; key: string | null },
): Promise<Made> {
  const { id, body, type, caller, key } = wanted;
  const idempotency = key === null ? null : { key, bodyHash: hashBody(body) };
  const task = await context.store
    .insertTask({ ...toNewTask(id, body, type, caller), idempotency })
    .catch((error: unknown) => {
      if (sqlState(error) === "23503") throw invalidRequest("/parentId", "names a task that does not exist");
      throw error;
    });
  if (task !== null) return { task, isReplay: false };
  if (idempotency === null) throw new Error("a task without an idempotency key was not stored");
  const first = await context.store.getReplayed(idempotency.key);
  if (first.bodyHash.equals(idempotency.bodyHash)) return { task: first.task, isReplay: true };
  throw new ApiError(
    "idempotency_conflict",
    `This Idempotency-Key came with another body before and made task ${first.task.id}; use a new key for a new task.`,
    {
      details: [{ taskId: first.task.id }],
    },
  );
}

function parseKey(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header !== "string" || header.length < 1 || header.length > 255) {
    throw invalidRequest("", "has an Idempotency-Key that is empty, repeated or longer than 255 characters");
  }
  return header;
}
