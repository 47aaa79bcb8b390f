import type { Live } from "./blueprint-live.ts";
import type { AuditEntry } from "./render-shapes.ts";

/** Who did the last thing to a resource before it was seen to differ: whom to ask why. It need not have been this change. */
export type Witness = { at: string; by: string; what: string };

/** The clocks of two houses. */
const apartMs = 60_000;

/** @param entries Render's audit log, newest first */
export function findWitness(
  drift: { resource: string; field: string; since: Date },
  live: Live,
  entries: readonly AuditEntry[],
): Witness | null {
  const names = namesOf(drift.resource, live);
  const isVariable = drift.field.startsWith("envVars.");
  const about = entries.filter(({ event, status, timestamp, metadata }) => {
    const isBefore = Date.parse(timestamp) <= drift.since.getTime() + apartMs;
    // Whoever only looked has changed nothing.
    const isDeed = status === "success" && !event.startsWith("View");
    return isBefore && isDeed && Object.values(metadata ?? {}).some((value) => names.includes(value));
  });
  const found = about.find(({ event }) => event.includes("EnvVar") === isVariable) ?? about[0];
  if (!found) return null;
  const { timestamp, actor, event } = found;
  return { at: timestamp, by: actor.email || actor.id || actor.type, what: event.replace(/Event$/, "") };
}

/** As the log may call it: by its id or its name. */
function namesOf(resource: string, { services, databases, keyValues, groups }: Live): string[] {
  const name = resource.slice(resource.indexOf("/") + 1);
  const all = { service: services, database: databases, keyvalue: keyValues, envgroup: groups };
  const kind = resource.slice(0, resource.indexOf("/")) as keyof typeof all;
  return [name, ...all[kind].filter((one) => one.name === name).map(({ id }) => id)];
}
