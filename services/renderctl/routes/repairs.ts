import { Instant, List, Nullable, Uuid } from "@signalbox/common/contracts/primitives.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { takePart, WholeListQuery } from "@signalbox/common/whole-list.ts";
import { Type } from "typebox";
import { causes } from "../build-log.ts";
import type { Context } from "../context.ts";

const closed = { additionalProperties: false } as const;
const Settings = Type.Object(
  {
    rootDir: Type.Optional(Type.String()),
    buildCommand: Type.Optional(Type.String()),
    publishPath: Type.Optional(Type.String()),
  },
  closed,
);

const ShownRepair = Type.Object(
  {
    id: Uuid,
    service: Type.Object({ id: Type.String(), name: Type.String() }, closed),
    deployId: Type.String({ description: "the deploy that failed" }),
    commitId: Type.String(),
    cause: Type.Enum([...causes]),
    evidence: Type.Array(Type.String()),
    fix: Nullable(Type.Object({ before: Settings, after: Settings }, closed)),
    state: Type.Enum(["found", "patching", "deploying", "fixed", "reverted", "yielded", "reported"]),
    attempts: Type.Integer({ minimum: 1, description: "which remedy on this commit it is" }),
    detail: Nullable(Type.String()),
    repairDeployId: Nullable(Type.String()),
    taskId: Nullable(Type.String()),
    createdAt: Instant,
    updatedAt: Instant,
  },
  closed,
);

/** Repairs are few: ten a day at most, and what was only reported. */
const shownAtMost = 2_000;

export const RepairPayload = Type.Object({ repairId: Uuid }, closed);

export const listRepairs = ({ repairs }: Context) =>
  defineRoute({
    method: "GET",
    path: "/render/repairs",
    auth: "any",
    summary: "What became of each failed build of a monitored service, newest first",
    query: WholeListQuery,
    replies: { 200: List(ShownRepair) },
    async handle({ query }) {
      const { items, nextCursor } = takePart(await repairs.list(shownAtMost), query, ({ id }) => id);
      const shown = items.map((repair) => {
        const { id, deployId, commitId, cause, evidence, state, detail, repairDeployId, taskId } = repair;
        const { fixBefore: before, fixAfter: after } = repair;
        return {
          ...{ id, deployId, commitId, cause, evidence, state, detail, repairDeployId, taskId },
          service: { id: repair.serviceId, name: repair.serviceName },
          fix: before && after ? { before, after } : null,
          attempts: repair.attempt,
          createdAt: repair.createdAt.toISOString(),
          updatedAt: repair.updatedAt.toISOString(),
        };
      });
      return { status: 200, body: { items: shown, nextCursor } };
    },
  });
