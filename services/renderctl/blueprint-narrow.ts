import type { Plan, Step } from "./blueprint-plan.ts";

/** A drift that is meant: a field of a resource, or without one all of the resource. */
export type Chosen = { resource: string; field?: string | undefined };

/** The plan that puts only what was chosen right, with the steps that this needs. What is not done is still told. */
export function narrowPlan(plan: Plan, only: readonly Chosen[]): Plan {
  const changing = plan.steps.filter(({ action }) => action !== "deploy");
  const narrowed = new Map(changing.flatMap((step) => keepChosen(step, only)).map((step) => [step.id, step]));
  addNeeded(narrowed, changing);
  const steps = plan.steps.flatMap((step) => {
    if (step.action !== "deploy") return narrowed.get(step.id) ?? [];
    const own = step.after.filter((id) => narrowed.has(id));
    const fields = own.flatMap((id) => narrowed.get(id)?.changes.map(({ field }) => field) ?? []);
    return own.length === 0 ? [] : { ...step, after: own, reason: `shows ${fields.join(", ")}` };
  });
  return { ...plan, steps };
}

function keepChosen(step: Step, only: readonly Chosen[]): Step[] {
  const chosen = only.filter(({ resource }) => resource === step.resource);
  // A creation is one request, and there is no half of it.
  const isWhole = chosen.some(({ field = "" }) => field === "") || (step.action === "create" && chosen.length > 0);
  if (isWhole) return [step];
  const changes = step.changes.filter(({ field }) => chosen.some((one) => one.field === field));
  if (changes.length === 0) return [];
  return [{ ...step, changes }];
}

function addNeeded(narrowed: Map<string, Step>, all: readonly Step[]): void {
  const open = [...narrowed.values()];
  for (let step = open.pop(); step; step = open.pop()) {
    for (const id of step.after) {
      const needed = narrowed.has(id) ? undefined : all.find((one) => one.id === id);
      if (!needed) continue;
      narrowed.set(id, needed);
      open.push(needed);
    }
  }
}
