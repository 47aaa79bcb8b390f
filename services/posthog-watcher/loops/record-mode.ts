import { actor } from "./apply-event.ts";
import type { Kit } from "./kit.ts";

const key = "mode";

/** A change of what the watcher may do is itself on record: when it was first seen, and from what to what. */
export async function recordMode({ store, mode, allow, mayAct, clock, log }: Kit): Promise<void> {
  const known = (await store.memory.findMemory(key))?.value as
    | { mode: string; allow: string[]; mayAct: string[] }
    | undefined;
  const now = { mode, allow: [...allow], mayAct: [...mayAct] };
  if (known && JSON.stringify({ mode: known.mode, allow: known.allow, mayAct: known.mayAct }) === JSON.stringify(now))
    return;
  const at = new Date(clock()).toISOString();
  const history = (await store.memory.findMemory(`${key} history`))?.value as unknown[] | undefined;
  const entry = { at, from: known ? { mode: known.mode, allow: known.allow, mayAct: known.mayAct } : null, to: now };
  await store.memory.keepMemory({ key, value: now, by: actor });
  await store.memory.keepMemory({ key: `${key} history`, value: [...(history ?? []), entry].slice(-200), by: actor });
  log.info(entry, "the mode is another than before");
}
