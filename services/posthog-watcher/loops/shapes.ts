import { createHash } from "node:crypto";
import { dedupeKeyOf } from "../finding.ts";
import type { Monitor } from "../monitor.ts";
import { actor } from "./apply-event.ts";
import type { Kit } from "./kit.ts";

/** What a series is made of: when this is another, nothing that was read of the old one is true of the new one. */
function shapeOf({ source, where, bucketMs, detector, noise, fill, season }: Monitor): string {
  const shape = JSON.stringify([source, Object.entries(where).sort(), bucketMs, detector, noise, fill, season]);
  return createHash("sha256").update(shape).digest("hex").slice(0, 16);
}

/** The monitors in force, each with a state; one that watches another series now begins anew, and what it had found is over. */
export async function prepareMonitors({ store, book, monitors, clock }: Kit): Promise<Monitor[]> {
  const all = await monitors();
  const changed = await store.states.ensureStates(
    all.map((monitor) => ({ monitor: monitor.name, shape: shapeOf(monitor) })),
  );
  for (const name of changed) {
    book.drop(name);
    await closeFindings(store, name, clock());
  }
  return all;
}

async function closeFindings(store: Kit["store"], monitor: string, now: number): Promise<void> {
  const note = "the monitor watches something else now";
  const { items } = await store.findings.listFindings({ monitor, status: "open,acknowledged,snoozed", limit: 200 });
  for (const { id } of items) {
    await store.together(async (tx) => {
      const change = { status: "resolved" as const, resolvedAt: now, note };
      if (await tx.findings.changeFinding(id, { change, at: now, ifVersion: null })) {
        await tx.findings.insertEvent({ findingId: id, kind: "resolved", actor, at: now, data: { note } });
      }
    });
  }
}

/** The finding about the project itself. */
export const projectMonitor = "project";
export const projectKey = dedupeKeyOf(projectMonitor, "arrival", "down");
