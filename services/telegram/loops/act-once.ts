import type { Task } from "@signalbox/common/contracts/task.ts";
import type { ButtonAction } from "../button.ts";
import type { Kit } from "./kit.ts";

export type Deed = { action: ButtonAction; taskId: string; userKey: string; body: Record<string, unknown> };

/**
 * What a person does with a task, once for each update however often it is worked off. A decision is bound to a version, and a cancel of
 * what is canceled comes to the same. A retry has nothing that would make its second time stale: a task that fails fast could be run
 * twice for one press, when the process dies before the update is noted as done. So the version from before it is kept first, and a retry
 * by this person after that is this one.
 */
export async function actOnce(
  { store, fleet }: Pick<Kit, "store" | "fleet">,
  updateId: number,
  { action, taskId, userKey, body }: Deed,
): Promise<Task> {
  if (action !== "retry") return await fleet.act(taskId, action, body, userKey);
  const key = `retry:${updateId}`;
  const [seen, task] = [(await store.findMemory(key)) as { version: number } | undefined, await fleet.findTask(taskId)];
  const isDone = task?.events.some(
    ({ kind, actor, version, data }) =>
      seen !== undefined && kind === "patched" && actor === userKey && version > seen.version && isRevival(data),
  );
  if (task && isDone) return task;
  if (seen === undefined) await store.keepMemory({ key, value: { version: task?.version ?? 0 } });
  return await fleet.act(taskId, action, body, userKey);
}

function isRevival(data: Record<string, unknown>): boolean {
  const { status } = (data.changes ?? {}) as { status?: { to?: unknown } };
  return status?.to === "queued" || status?.to === "waiting";
}
