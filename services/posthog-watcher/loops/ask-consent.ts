import { findRefusal } from "../consent.ts";
import type { Kit } from "./kit.ts";

type Asking = { taskId: string; type: string; payload: unknown };

/**
 * Why a task must not be carried out, as it is at this moment; null when it may.
 *
 * @throws CallError when the orchestrator cannot be asked
 */
export async function askConsent(kit: Kit, { taskId, type, payload }: Asking): Promise<string | null> {
  const { store, fleet, mode, allow } = kit;
  const [task, stop] = await Promise.all([fleet.getTask(taskId), store.memory.findMemory("stop")]);
  const [, findingId] = /^finding:([0-9a-f-]{36})$/.exec(task.correlationId ?? "") ?? [];
  const isReversal = findingId !== undefined && (await store.intents.isReversal(findingId, { type, payload }));
  const isStopped = (stop?.value as { isStopped?: boolean } | undefined)?.isStopped === true;
  return findRefusal(task, { type, mode, allow, isStopped, isReversal });
}
