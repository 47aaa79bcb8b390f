/* Feature flags that somebody switches in PostHog: no task tells of that, so they are looked at now and then and compared. */
import type { ChangeSeen } from "../causes.ts";
import { PosthogError } from "../posthog-failure.ts";
import type { Kit } from "./kit.ts";

type Known = Record<string, { active: boolean; version: number | null }>;

const memoryKey = "flags";

/** @returns how many had changed; null when they cannot be read */
export async function watchFlags(kit: Kit): Promise<number | null> {
  const { store, posthog, pins, clock, log } = kit;
  try {
    const flags = (await posthog.listFlags()).filter(({ key }) => pins.flags.length === 0 || pins.flags.includes(key));
    const now: Known = Object.fromEntries(flags.map(({ key, active, version }) => [key, { active, version }]));
    const before = (await store.memory.findMemory(memoryKey))?.value as Known | undefined;
    const changes =
      before === undefined ? [] : flags.flatMap(({ key, raw }) => toChange(key, { before, now, raw, at: clock() }));
    await store.memory.insertChanges(changes);
    await store.memory.keepMemory({ key: memoryKey, value: now, by: "service:posthog-watcher" });
    return changes.length;
  } catch (error) {
    if (!(error instanceof PosthogError)) throw error;
    log.info({ err: error }, "the feature flags could not be read");
    return null;
  }
}

type Compared = { before: Known; now: Known; raw: Record<string, unknown>; at: number };

function toChange(key: string, { before, now, raw, at }: Compared): ChangeSeen[] {
  const [old, fresh] = [before[key], now[key]];
  if (fresh === undefined || (old && old.active === fresh.active && old.version === fresh.version)) return [];
  const what =
    old === undefined
      ? "is new"
      : old.active === fresh.active
        ? "was changed"
        : fresh.active
          ? "was switched on"
          : "was switched off";
  const updatedAt = typeof raw.updated_at === "string" ? Date.parse(raw.updated_at) : Number.NaN;
  return [
    { kind: "flag", id: key, title: `flag ${key} ${what}`, at: Number.isNaN(updatedAt) ? at : Math.min(updatedAt, at) },
  ];
}
