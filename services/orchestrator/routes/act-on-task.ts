import type { Principal } from "@signalbox/common/auth.ts";
import { Task } from "@signalbox/common/contracts/task.ts";
import { ApiError, notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import { planDecision, planInput } from "../approval.ts";
import type { Context } from "../context.ts";
import { planRetry, type Refusal, toChanges } from "../patch.ts";
import { hasEnded } from "../transition.ts";
import { parseSeenVersion, TaskId, toChangedTask } from "./task-id.ts";

const closed = { additionalProperties: false } as const;
const Reason = Type.Optional(Type.String({ maxLength: 2_000 }));

export const cancelTask = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/task/:id/cancel",
    aliases: ["/tasks/:id/cancel"],
    auth: "any",
    summary: "Cancel a task and everything below it; a running one is stopped",
    params: TaskId,
    body: Type.Object({ reason: Reason }, closed),
    bodyOptional: true,
    replies: { 200: Task },
    async handle({ params, body, actor }) {
      const done = await context.store.cancelTree(params.id, { actor, reason: body.reason ?? null });
      if (done === null) throw notFound("task", params.id);
      if (done.canceled.length === 0 && done.task.status !== "canceled") {
        throw new ApiError(
          "illegal_transition",
          `task ${params.id} has already ${done.task.status === "failed" ? "failed" : "completed"}; there is nothing to cancel`,
        );
      }
      context.changed({ claimable: true });
      context.dispatcher.drop(done.task.id, done.task.attempt);
      return { status: 200, body: done.task, etag: done.task.version };
    },
  });

export const retryTask = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/task/:id/retry",
    aliases: ["/tasks/:id/retry"],
    auth: "any",
    summary: "Run an ended task again; its attempts go on counting",
    params: TaskId,
    body: Type.Object({ reason: Reason }, closed),
    bodyOptional: true,
    replies: { 200: Task },
    async handle({ params, body, actor }) {
      const changed = await context.store.changeTask<Refusal>(params.id, actor, ({ task, ...terms }) => {
        if (!hasEnded(task.status)) {
          return {
            kind: "refuse",
            because: {
              code: "illegal_transition",
              message: `task ${task.id} is ${task.status}; only an ended task is retried`,
            },
          };
        }
        const next = planRetry(task, terms);
        const reason = body.reason === undefined ? {} : { reason: body.reason };
        return {
          kind: "change",
          next,
          event: { kind: "patched", data: { changes: toChanges(task, next), ...reason } },
        };
      });
      const { task } = toChangedTask(params.id, changed);
      context.changed({ claimable: true });
      return { status: 200, body: task, etag: task.version };
    },
  });

/**
 * Approvals and answers are a person's: one who is here, or one for whom a service speaks.
 *
 * @throws ApiError 403
 */
async function ensurePerson({ store }: Context, principal: Principal | null): Promise<void> {
  if (principal?.kind === "person") return;
  const user = principal?.onBehalfOf;
  if (user === undefined) {
    throw new ApiError("forbidden", "Only a person decides here: say for whom by X-On-Behalf-Of: <user key>.");
  }
  if (await store.isAgent(user)) {
    throw new ApiError("forbidden", "An agent decides nothing; X-On-Behalf-Of must be the user key of a person.");
  }
}

const Decide = Type.Object(
  { ifVersion: Type.Optional(Type.Integer({ minimum: 1 })), note: Type.Optional(Type.String({ maxLength: 2_000 })) },
  closed,
);

const decideTask = (verdict: "approve" | "reject") => (context: Context) =>
  defineRoute({
    method: "POST",
    path: `/task/:id/${verdict}`,
    aliases: [`/tasks/:id/${verdict}`],
    auth: "any",
    summary:
      verdict === "approve"
        ? "Let a task run that waits for approval, as you saw it"
        : "Refuse a task that waits for approval",
    params: TaskId,
    body: Decide,
    bodyOptional: true,
    replies: { 200: Task },
    async handle({ params, body, headers, principal, actor }) {
      await ensurePerson(context, principal);
      const ifVersion = parseSeenVersion(headers["if-match"], body.ifVersion);
      const decision = { verdict, ifVersion, note: body.note ?? null, actor };
      const changed = await context.store.changeTask<Refusal>(params.id, actor, ({ task, isLate }) =>
        planDecision(task, { ...decision, isLate }),
      );
      const { task } = toChangedTask(params.id, changed);
      context.changed({ claimable: true, timed: true });
      return { status: 200, body: task, etag: task.version };
    },
  });

export const approveTask = decideTask("approve");
export const rejectTask = decideTask("reject");

export const answerTask = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/task/:id/input",
    aliases: ["/tasks/:id/input"],
    auth: "any",
    summary: "Answer an agent that waits for input",
    params: TaskId,
    body: Type.Object({ ifVersion: Type.Optional(Type.Integer({ minimum: 1 })), input: Type.Unknown() }, closed),
    replies: { 200: Task },
    async handle({ params, body, headers, principal, actor }) {
      await ensurePerson(context, principal);
      const ifVersion = parseSeenVersion(headers["if-match"], body.ifVersion);
      const changed = await context.store.changeTask<Refusal>(params.id, actor, ({ task }) =>
        planInput(task, { ifVersion, input: body.input }),
      );
      const { task } = toChangedTask(params.id, changed);
      context.changed({ claimable: true, timed: true });
      return { status: 200, body: task, etag: task.version };
    },
  });
