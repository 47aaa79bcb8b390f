import type { Json } from "./blueprint.ts";
import { type Difference, diffAccount, type Scene } from "./blueprint-diff.ts";
import type { Orphan } from "./blueprint-orphans.ts";

/** Where Render differs from the blueprint: a resource's field, or all of a resource. */
export type Drift = { resource: string; field: string; kind: Difference["kind"]; expected: Json; actual: Json };

/** The differences that plans are made of, and what was made from the blueprint and has left it. */
export function findDrifts(scene: Scene, orphans: readonly Orphan[]): Drift[] {
  const left = orphans.filter(({ managed }) => managed);
  return [
    ...diffAccount(scene).map(toDrift),
    ...left.map(({ resource }) => ({
      resource,
      field: "",
      kind: "extra" as const,
      expected: "absent",
      actual: "present",
    })),
  ];
}

/** As it should be, and as it is: of a variable that reads "changed" both are set. */
function toDrift({ resource, field, kind, wanted, live }: Difference): Drift {
  const isVariable = field.startsWith("envVars.");
  if (!isVariable) return { resource, field, kind, expected: wanted, actual: live };
  const masks = { missing: ["set", "unset"], changed: ["set", "changed"], extra: ["unset", "set"] } as const;
  const [expected, actual] = masks[kind];
  return { resource, field, kind, expected, actual };
}
