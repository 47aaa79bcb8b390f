import { CreateTask, Task } from "@signalbox/common/contracts/task.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { Context } from "../context.ts";
import { parseWait } from "../new-task.ts";
import { findType, parseKey, readCaller, storeTask } from "./make-task.ts";

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
      const caller = await readCaller(context, principal, { actor, trace });
      const id = uuidv7();
      const waitSeconds = parseWait(headers.prefer);
      const watch = waitSeconds === null ? null : context.waiters.watch(id);
      try {
        const made = await storeTask(context, { id, body, type, caller, key: parseKey(headers["idempotency-key"]) });
        if (made.isReplay) return { ...toReply(made.task), status: 200, headers: { "idempotent-replayed": "true" } };
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
