import { CreateTask, Task } from "@signalbox/common/contracts/task.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { Context } from "../context.ts";
import { parseWait } from "../new-task.ts";
import { hasEnded } from "../transition.ts";
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
      const wait = readWait(headers.prefer, signal);
      const watch = wait && context.waiters.watch(id);
      try {
        const made = await storeTask(context, { id, body, type, caller, key: parseKey(headers["idempotency-key"]) });
        if (made.isReplay) {
          const task = wait ? await waitAgain(context, made.task, wait) : made.task;
          return { ...toReply(task), status: 200, headers: { "idempotent-replayed": "true" } };
        }
        if (wait === null || watch === null) return toReply(made.task);
        return toReply((await watch.ended(wait.timeoutMs, signal)) ?? (await readNow(context, made.task)));
      } finally {
        watch?.stop();
      }
    },
  });

type Wait = { timeoutMs: number; signal: AbortSignal };

function readWait(prefer: string | string[] | undefined, signal: AbortSignal): Wait | null {
  const seconds = parseWait(prefer);
  return seconds === null ? null : { timeoutMs: seconds * 1_000, signal };
}

/** Who lost the answer asks for it again, and waits for the task's end as before. */
async function waitAgain(context: Context, task: Task, wait: Wait): Promise<Task> {
  const watch = context.waiters.watch(task.id);
  try {
    // It may have ended before it was watched.
    const now = await readNow(context, task);
    if (hasEnded(now.status)) return now;
    return (await watch.ended(wait.timeoutMs, wait.signal)) ?? (await readNow(context, now));
  } finally {
    watch.stop();
  }
}

/** The task as it is, or as it was made: that it is stored has to be said, also when it cannot be read just now. */
function readNow({ store }: Context, made: Task): Promise<Task> {
  return store.findTask(made.id).then(
    (found) => found ?? made,
    () => made,
  );
}

function toReply(task: Task) {
  return { status: 201, body: task, etag: task.version, location: `/task/${task.id}` };
}
