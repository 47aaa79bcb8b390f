import { type Static, Type } from "typebox";
import { Instant, List, Nullable, Uuid } from "./primitives.ts";

/* Blueprints as renderctl answers with them: plans, applies, drifts. Values of environment variables are masks everywhere. */

const closed = { additionalProperties: false } as const;
const Value = Type.Unknown({
  description: "of an environment variable a mask: set, changed, unset, or where it comes from",
});
const Resource = Type.String({ description: "kind and name, such as service/api" });

export const PlanChange = Type.Object({ field: Type.String(), from: Value, to: Value }, closed);

export const PlanStep = Type.Object(
  {
    id: Type.String(),
    resource: Resource,
    action: Type.Enum(["create", "update", "delete", "link", "deploy"]),
    changes: Type.Array(PlanChange),
    causesDeploy: Type.Boolean(),
    reason: Nullable(Type.String()),
    after: Type.Array(Type.String(), { description: "ids of steps that must be done before" }),
  },
  closed,
);

const about = { resource: Resource, field: Type.String(), reason: Type.String() };

/** What a plan says besides its steps. */
const planParts = {
  steps: Type.Array(PlanStep),
  blocked: Type.Array(
    Type.Object({ ...about, from: Value, to: Value }, { ...closed, description: "differs and cannot be put right" }),
  ),
  unmanaged: Type.Array(Type.Object(about, { ...closed, description: "is there and left alone" })),
  orphans: Type.Array(
    Type.Object(
      {
        resource: Resource,
        id: Type.String(),
        managed: Type.Boolean({ description: "made or changed by an apply before, or built from the same repository" }),
        deletable: Type.Boolean({ description: "prune would delete it" }),
        reason: Type.String(),
      },
      { ...closed, description: "is live and not in the blueprint" },
    ),
  ),
  needsValue: Type.Array(
    Type.Object(
      { resource: Resource, key: Type.String() },
      { ...closed, description: "a person has to give it a value" },
    ),
  ),
  unsupported: Type.Array(Type.Object(about, { ...closed, description: "is in the blueprint and not carried out" })),
};

export const BlueprintPlan = Type.Object(
  { planId: Uuid, fingerprint: Type.String(), expiresAt: Instant, ...planParts },
  { ...closed, $id: "BlueprintPlan" },
);
export type BlueprintPlan = Static<typeof BlueprintPlan>;

/** Nothing to do: no plan is kept, because there is nothing to apply. */
export const NothingToDo = Type.Object({ applyId: Type.Null(), ...planParts }, closed);

export const ApplyBlueprint = Type.Object(
  {
    dryRun: Type.Optional(Type.Boolean()),
    planId: Type.Optional(Uuid),
    blueprintPath: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000 })),
    prune: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type ApplyBlueprint = Static<typeof ApplyBlueprint>;

export const ApplyAccepted = Type.Object({ applyId: Uuid, taskId: Uuid }, closed);

export const ApplyStep = Type.Object(
  {
    ...PlanStep.properties,
    state: Type.Enum(["pending", "running", "done", "failed", "skipped", "unknown"]),
    attempts: Type.Integer({ minimum: 0 }),
    resourceId: Nullable(Type.String()),
    deployId: Nullable(Type.String()),
    deployStatus: Nullable(Type.String()),
    writes: Type.Array(
      Type.Object(
        {
          operation: Type.String(),
          method: Type.String(),
          path: Type.String(),
          status: Nullable(Type.Integer({ description: "null: the connection was lost before the answer" })),
        },
        closed,
      ),
    ),
    error: Nullable(Type.String()),
    startedAt: Nullable(Instant),
    finishedAt: Nullable(Instant),
  },
  closed,
);

export const BlueprintApply = Type.Object(
  {
    id: Uuid,
    planId: Uuid,
    taskId: Nullable(Uuid),
    state: Type.Enum(["requested", "running", "done", "failed"]),
    error: Nullable(Type.String()),
    actor: Type.String(),
    blueprintPath: Type.String(),
    prune: Type.Boolean(),
    fingerprint: Type.String(),
    createdAt: Instant,
    startedAt: Nullable(Instant),
    finishedAt: Nullable(Instant),
    steps: Type.Array(ApplyStep),
  },
  { ...closed, $id: "BlueprintApply" },
);
export type BlueprintApply = Static<typeof BlueprintApply>;

export const Drift = Type.Object(
  {
    resource: Resource,
    field: Type.String(),
    expected: Value,
    actual: Value,
    kind: Type.Enum(["missing", "changed", "extra"]),
    since: Instant,
    taskId: Nullable(Type.String({ description: "the apply that waits for approval" })),
    whoCanTell: Nullable(
      Type.Object(
        { at: Type.String(), by: Type.String(), what: Type.String() },
        { ...closed, description: "the last deed on the resource before, by Render's audit log" },
      ),
    ),
  },
  closed,
);
export const DriftList = List(Drift);
export type DriftList = Static<typeof DriftList>;

const Place = { resource: Resource, field: Type.String({ description: "empty: all of the resource" }) };

/** Which differences are meant; without items all of them. */
export const ChooseDrifts = Type.Object(
  {
    items: Type.Optional(
      Type.Array(Type.Object({ resource: Resource, field: Type.Optional(Type.String({ maxLength: 300 })) }, closed), {
        minItems: 1,
        maxItems: 500,
      }),
    ),
  },
  closed,
);
export type ChooseDrifts = Static<typeof ChooseDrifts>;

export const Adoption = Type.Object(
  {
    path: Type.String({ description: "of the blueprint" }),
    patch: Type.String({ description: "for `git apply`; empty when nothing can be taken in" }),
    adopted: Type.Array(Type.Object(Place, closed)),
    left: Type.Array(Type.Object({ ...Place, reason: Type.String() }, closed)),
  },
  { ...closed, $id: "Adoption" },
);
export type Adoption = Static<typeof Adoption>;
