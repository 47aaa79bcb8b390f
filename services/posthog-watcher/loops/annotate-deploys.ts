/* Every deploy that succeeded becomes an annotation in PostHog, so that its charts show what ours do. */
import type { Task } from "@signalbox/common/contracts/task.ts";
import { CallError } from "@signalbox/common/fleet-call.ts";
import type { Kit } from "./kit.ts";

const types = ["render.deploy", "render.rollback"];
const lookBackMs = 24 * 3_600_000;

/** Asks for an annotation of each deploy of the last day that has none yet; the key of the intent is the deploy's task. */
export async function annotateDeploys(kit: Kit): Promise<number> {
  if (kit.mode === "observe" || !kit.mayAct.includes("posthog")) return 0;
  const now = kit.clock();
  const range = { since: new Date(now - lookBackMs).toISOString(), status: "completed", limit: "50" };
  let made = 0;
  for (const type of types) {
    const tasks = await kit.fleet.listTasks({ ...range, type }).catch(noneIfAway);
    for (const task of tasks) if (await intendAnnotation(kit, task, now)) made += 1;
  }
  if (made > 0) kit.intended();
  return made;
}

function noneIfAway(error: unknown): Task[] {
  if (error instanceof CallError) return [];
  throw error;
}

async function intendAnnotation({ store }: Kit, task: Task, at: number): Promise<boolean> {
  const made = await store.intents.insertIntent({
    kind: "annotate",
    dedupeKey: `annotate:${task.id}`,
    findingId: null,
    at,
    task: {
      type: "posthog.annotate",
      source: "posthog-watcher",
      correlationId: `annotate:${task.id}`,
      payload: { content: contentOf(task), at: task.finishedAt ?? task.updatedAt, key: task.id },
    },
  });
  return made !== null;
}

function contentOf({ type, payload, result, id }: Task): string {
  const members = [payload, result].map((one) =>
    typeof one === "object" && one !== null ? (one as Record<string, unknown>) : {},
  );
  const words = ["name", "serviceId", "commitId", "deployId"].flatMap((key) => {
    const value = members.map((one) => one[key]).find((one) => typeof one === "string");
    return value === undefined ? [] : [String(value)];
  });
  return `${type === "render.rollback" ? "rollback" : "deploy"} ${words.join(" ")} (task ${id})`.replaceAll("  ", " ");
}
