import { Uuid } from "@signalbox/common/contracts/primitives.ts";
import { Run, RunAccepted, SignalEvent } from "@signalbox/common/contracts/run.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { notFound, rateLimited } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { findType, parseKey, readCaller, storeTask } from "./make-task.ts";

export const acceptEvent = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/v1/events",
    auth: "any",
    summary: "A normalised event becomes a run; events of one conversation run in order",
    body: SignalEvent,
    replies: { 202: RunAccepted },
    async handle({ body, headers, principal, actor, trace }) {
      const { type: typeName, conversation_key, user_key, text, raw } = body;
      const task = {
        type: typeName,
        payload: { schema_version: 1, text, conversation_key, user_key },
        concurrencyKey: conversation_key,
        userKey: user_key,
        source: "event",
      };
      const type = await findType(context, task);
      const caller = await readCaller(context, principal, { actor, trace });
      const key = parseKey(headers["idempotency-key"]);
      // What a service does of its own accord is not limited; what it passes on from people is. What is sent again makes nothing.
      if (caller.isPerson && !(await isKnown(context, key))) await spend(context, user_key);
      const made = await storeTask(context, {
        id: uuidv7(),
        body: task,
        type,
        caller,
        key,
        raw,
        hashed: body,
      });
      const replayed = made.isReplay ? { headers: { "idempotent-replayed": "true" } } : {};
      return { status: 202, body: { run_id: made.task.id }, location: `/v1/runs/${made.task.id}`, ...replayed };
    },
  });

async function isKnown({ store }: Context, key: string | null): Promise<boolean> {
  return key !== null && (await store.isKeyUsed(key));
}

/** @throws ApiError 429 when the user or all together have sent as much in the last minute as they may */
async function spend({ store, limits }: Context, userKey: string): Promise<void> {
  const usedUp = await store.countUse(userKey, limits);
  if (usedUp === null) return;
  const whose = usedUp.whose === "user" ? `${limits.userPerMinute} for one user` : `${limits.globalPerMinute} in all`;
  throw rateLimited(
    `There were too many events in the last minute (${whose}); nothing was made of this one.`,
    usedUp.resetSeconds,
  );
}

export const getRun = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/v1/runs/:run_id",
    auth: "any",
    summary: "How a run stands: running, succeeded or failed",
    params: Type.Object({ run_id: Uuid }, { additionalProperties: false }),
    replies: { 200: Run },
    async handle({ params }) {
      const task = await store.findTask(params.run_id);
      if (task === null) throw notFound("run", params.run_id);
      return { status: 200, body: toRun(task) };
    },
  });

function toRun(task: Task): Run {
  if (task.status === "completed") return { run_id: task.id, status: "succeeded", output: toOutput(task.result) };
  if (task.status !== "failed" && task.status !== "canceled") return { run_id: task.id, status: "running" };
  return {
    run_id: task.id,
    status: "failed",
    error: task.error ?? { code: task.status, message: `the run was ${task.status}` },
  };
}

/** An agent that answers a message says its text in `output`; any other result is the output itself. */
function toOutput(result: unknown): unknown {
  if (typeof result === "object" && result !== null && "output" in result) return result.output;
  return result ?? null;
}
