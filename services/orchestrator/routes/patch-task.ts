import type { Principal } from "@signalbox/common/auth.ts";
import { PatchTask, Task } from "@signalbox/common/contracts/task.ts";
import { invalidRequest } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import type { Context } from "../context.ts";
import { planPatch, type Refusal, type Seen } from "../patch.ts";
import { findSecretMembers, readMember, redacted } from "../secret-members.ts";
import { hasEnded } from "../transition.ts";
import { parseSeenVersion, TaskId, toAttempt, toChangedTask } from "./task-id.ts";

export const patchTask = (context: Context) =>
  defineRoute({
    method: "PATCH",
    path: "/task/:id",
    aliases: ["/tasks/:id"],
    auth: "any",
    summary: "Change a task that is still as you saw it; an agent names its attempt instead of a version",
    params: TaskId,
    body: PatchTask,
    replies: { 200: Task },
    async handle({ params, body, headers, principal, actor }) {
      const seen = parseSeen(body, headers["if-match"], principal);
      const patch = toPatch(context, body);
      const { store } = context;
      const isCareful = patch.payload !== undefined && (await checkPayload(context, params.id, patch.payload));
      const by = "attempt" in seen ? await agentOf(context, params.id, actor) : actor;
      const isPerson = patch.payload !== undefined && (await isOfPerson(context, principal));
      const changed = await store.changeTask<Refusal>(params.id, by, ({ task, ...terms }) =>
        planPatch(task, seen, patch, { actor: by, isPerson, isCareful, ...terms }),
      );
      const isLost = changed.kind === "refused" && changed.because.code === "lease_lost";
      if (isLost && "attempt" in seen) {
        await store.noteLateCall(params.id, { attempt: seen.attempt, what: patch.status ?? "patch", actor: by });
        context.changed({});
      }
      const { task, isChange } = toChangedTask(params.id, changed);
      const below = await cancelBelow(context, task, { actor: by, ...patch });
      if (isChange || below.length > 0) tell(context, task, patch.runAt !== undefined);
      return { status: 200, body: task, etag: task.version };
    },
  });

/** What is asked for, without what it was asked of; an error is only there to be read. */
function toPatch({ hide }: Context, { ifVersion: _version, attempt: _attempt, ...patch }: PatchTask) {
  return patch.error === undefined ? patch : { ...patch, error: hide(patch.error) };
}

/**
 * The schema of its type holds for a payload that is patched too. A patch is shown to everybody in its event, so a secret has no
 * way in by it; one that stays `[redacted]` keeps its value.
 *
 * @returns whether its type wants a person's consent
 * @throws ApiError 400
 */
async function checkPayload({ store, catalog }: Context, id: string, payload: unknown): Promise<boolean> {
  const task = await store.findTask(id);
  const type = task === null ? null : await catalog.find(task.type);
  if (type === null) return false;
  if (type.payloadSchema === null) return type.approvalRequired;
  const secrets = findSecretMembers(type.payloadSchema, payload);
  const changed = secrets.find((pointer) => readMember(payload, pointer) !== redacted);
  if (changed !== undefined)
    throw invalidRequest(`/payload${changed}`, "is a secret, which a patch cannot change; make a new task with it");
  catalog.checkPayload(type, payload, secrets);
  return type.approvalRequired;
}

/** A person who is here, or one for whom a service speaks; an agent is nobody's. */
async function isOfPerson({ store }: Context, principal: Principal | null): Promise<boolean> {
  if (principal?.kind === "person") return true;
  const user = principal?.onBehalfOf;
  return user !== undefined && !(await store.isAgent(user));
}

type Ending = Pick<PatchTask, "status" | "reason"> & { actor: string };

/** As the cancel action does. If this dies before it, the same patch once more finds what is left. */
async function cancelBelow({ store }: Context, task: Task, { status, reason, actor }: Ending): Promise<string[]> {
  return status === "canceled" ? await store.cancelBelow(task.id, { actor, reason: reason ?? null }) : [];
}

/** Whoever ran it here is told at once; another orchestrator hears of it from the ledger. */
function tell({ dispatcher, changed }: Context, task: Task, hasNewTime: boolean): void {
  if (task.status !== "running") dispatcher.drop(task.id, task.attempt);
  changed({ claimable: true, timed: hasNewTime || hasEnded(task.status) });
}

function parseSeen(body: PatchTask, ifMatch: string | string[] | undefined, principal: Principal | null): Seen {
  if (body.attempt === undefined) return { ifVersion: parseSeenVersion(ifMatch, body.ifVersion) };
  if (principal?.kind !== "internal")
    throw invalidRequest("/attempt", "is for agents with the internal key; people send ifVersion");
  if (body.ifVersion !== undefined || ifMatch !== undefined)
    throw invalidRequest("/attempt", "stands in place of ifVersion and If-Match; send only one");
  return { attempt: toAttempt(body.attempt) };
}

/** Who is recorded when an agent ends its own run: the agent that the task was given to. */
async function agentOf({ store }: Context, id: string, actor: string): Promise<string> {
  const task = await store.findTask(id);
  return task?.agent ? `agent:${task.agent}` : actor;
}
