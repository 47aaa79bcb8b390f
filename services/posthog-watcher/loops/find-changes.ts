/* What changed in the world around a time: tasks of the fleet, flags, annotations, drift. A source that is away is left out, and said so. */
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { ChangeSeen } from "../causes.ts";
import type { Kit } from "./kit.ts";

export type FoundChanges = { changes: ChangeSeen[]; missing: string[] };

type Source = { name: string; find(): Promise<ChangeSeen[]> };

export async function findChanges(kit: Kit, from: number, to: number): Promise<FoundChanges> {
  const sources: Source[] = [
    { name: "the fleet's tasks", find: () => findTasks(kit, from, to) },
    { name: "flags", find: () => kit.store.memory.listChanges(from, to) },
    { name: "annotations", find: () => findAnnotations(kit, from, to) },
    { name: "drift", find: () => findDrifts(kit, from, to) },
  ];
  const found = await Promise.all(
    sources.map(async ({ name, find }) => {
      try {
        return { changes: await find(), missing: [] };
      } catch (error) {
        kit.log.info({ err: error }, `looking for causes: ${name} could not be read`);
        return { changes: [], missing: [name] };
      }
    }),
  );
  return { changes: found.flatMap(({ changes }) => changes), missing: found.flatMap(({ missing }) => missing) };
}

const taskKinds: Record<string, ChangeSeen["kind"]> = {
  "render.deploy": "deploy",
  "render.rollback": "rollback",
  "render.env": "config",
  "render.blueprint.apply": "config",
  "posthog.flag.set": "flag",
  "github.event": "push",
};

/** Failures of these are no news of the product. */
const ownTypes = /^(?:telegram|watch|posthog)\./;

async function findTasks({ fleet }: Kit, from: number, to: number): Promise<ChangeSeen[]> {
  // A task is found by when it was made; what it did came later.
  const range = { since: new Date(from - 3_600_000).toISOString(), until: new Date(to).toISOString(), limit: "100" };
  const lists = await Promise.all([
    ...Object.keys(taskKinds).map((type) => fleet.listTasks({ ...range, type, status: "completed" })),
    fleet.listTasks({ ...range, status: "failed" }),
  ]);
  return lists.flat().flatMap(toChange);
}

function toChange(task: Task): ChangeSeen[] {
  const at = Date.parse(task.finishedAt ?? task.updatedAt);
  if (task.status === "failed") {
    if (ownTypes.test(task.type)) return [];
    return [
      {
        kind: "task_failure",
        id: task.id,
        title: `${task.type} failed: ${task.error?.message ?? ""}`.slice(0, 300),
        at,
      },
    ];
  }
  const kind = taskKinds[task.type];
  return kind === undefined ? [] : [{ kind, id: task.id, title: titleOf(task), at }];
}

/** The few words of a payload that a person knows the thing by. */
function titleOf({ type, payload }: Task): string {
  const known = ["serviceId", "name", "commitId", "flag", "active", "repository", "event", "ref"];
  const members = typeof payload === "object" && payload !== null ? (payload as Record<string, unknown>) : {};
  const words = known.flatMap((key) => {
    const value = members[key];
    return typeof value === "string" || typeof value === "boolean" ? [`${key} ${value}`] : [];
  });
  return [type, ...words].join(", ").slice(0, 300);
}

async function findAnnotations({ posthog }: Kit, from: number, to: number): Promise<ChangeSeen[]> {
  const range = { date_from: new Date(from).toISOString(), date_to: new Date(to).toISOString(), limit: "100" };
  return (await posthog.listAnnotations(range)).map(({ id, content, at }) => ({
    ...{ kind: "annotation" as const, id: String(id), title: content.slice(0, 300) },
    at: Date.parse(at),
  }));
}

async function findDrifts({ fleet }: Kit, from: number, to: number): Promise<ChangeSeen[]> {
  const drifts = await fleet.listDrifts();
  return drifts
    .map(({ resource, field, kind, since }) => ({
      ...{ kind: "drift" as const, id: `${resource}/${field}`, title: `${resource}: ${field} is ${kind}` },
      at: Date.parse(since),
    }))
    .filter(({ at }) => at >= from && at < to);
}
