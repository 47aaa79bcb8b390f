import {
  Adoption,
  ApplyAccepted,
  ApplyBlueprint,
  BlueprintApply,
  BlueprintPlan,
  ChooseDrifts,
  DriftList,
  NothingToDo,
} from "@signalbox/common/contracts/blueprint.ts";
import { Uuid } from "@signalbox/common/contracts/primitives.ts";
import { invalidRequest, notFound } from "@signalbox/common/errors.ts";
import { defineRoute, type JsonReply, type RouteInput } from "@signalbox/common/route.ts";
import { takePart, WholeListQuery } from "@signalbox/common/whole-list.ts";
import { Type } from "typebox";
import type { Apply, LedgerStep } from "../blueprint-ledger.ts";
import type { Context } from "../context.ts";
import { reading } from "./read-error.ts";

const ApplyId = Type.Object({ id: Uuid }, { additionalProperties: false });

/** Of the task: without a plan it is planned and applied in one go. */
export const ApplyPayload = Type.Object({ planId: Type.Optional(Uuid) }, { additionalProperties: false });

export const applyBlueprint = ({ desk }: Context) =>
  defineRoute({
    method: "POST",
    path: "/render/blueprint/apply",
    auth: "any",
    summary: "Makes Render match the blueprint, or with dryRun shows what that would change",
    body: Type.Optional(ApplyBlueprint),
    replies: { 200: Type.Union([BlueprintPlan, NothingToDo]), 202: ApplyAccepted },
    async handle({
      body = {},
      actor,
      principal,
      trace,
      signal,
    }: RouteInput<undefined, undefined, ApplyBlueprint | undefined>): Promise<JsonReply> {
      ensureConsistent(body);
      if (body.dryRun) return { status: 200, body: await reading(() => desk.plan(toWish(body), actor, signal)) };
      const isPerson = principal?.kind === "person" || principal?.onBehalfOf !== undefined;
      const wish = { ...toWish(body), planId: body.planId };
      const begun = await reading(() => desk.apply(wish, { actor, isPerson, trace, signal }));
      return begun.kind === "nothing" ? { status: 200, body: begun.reply } : toAccepted(begun);
    },
  });

const toWish = ({ blueprintPath, prune = false }: ApplyBlueprint) => ({ path: blueprintPath, prune });

function toAccepted({ applyId, taskId }: { applyId: string; taskId: string }): JsonReply {
  return { status: 202, body: { applyId, taskId }, location: `/render/applies/${applyId}` };
}

/** @throws ApiError 400 */
function ensureConsistent({ dryRun, planId, blueprintPath, prune }: ApplyBlueprint): void {
  if (dryRun && planId !== undefined) throw invalidRequest("/planId", "names a plan; leave dryRun out to apply it");
  // An empty or half-written call must not change an account: whoever has seen no plan says that it shall be done.
  if (dryRun === undefined && planId === undefined) {
    throw invalidRequest("/dryRun", "is required without planId: true shows what would change, false changes it");
  }
  if (planId !== undefined && blueprintPath !== undefined) {
    throw invalidRequest("/blueprintPath", "is part of the plan that planId names; leave it out");
  }
  if (!dryRun && prune && planId === undefined) {
    throw invalidRequest(
      "/planId",
      "is required with prune: make the plan with dryRun and prune, read it, apply it by its id",
    );
  }
}

export const getApply = ({ desk }: Context) =>
  defineRoute({
    method: "GET",
    path: "/render/applies/:id",
    auth: "any",
    summary: "An apply and the ledger of its steps",
    params: ApplyId,
    replies: { 200: BlueprintApply },
    async handle({ params }) {
      const apply = await desk.find(params.id);
      if (!apply) throw notFound("apply", params.id);
      return { status: 200, body: showApply(apply) };
    },
  });

const toTime = (at: Date | null) => at?.toISOString() ?? null;

function showApply(apply: Apply) {
  const { id, planId, taskId, state, error, actor, blueprintPath, prune, fingerprint } = apply;
  return {
    ...{ id, planId, taskId, state, error, actor, blueprintPath, prune, fingerprint },
    createdAt: apply.createdAt.toISOString(),
    startedAt: toTime(apply.startedAt),
    finishedAt: toTime(apply.finishedAt),
    steps: apply.steps.map(showStep),
  };
}

function showStep({ step, state, attempts, note, writes, error, startedAt, finishedAt }: LedgerStep) {
  return {
    ...{ ...step, state, attempts, writes, error },
    resourceId: note.resourceId ?? null,
    deployId: note.deployId ?? null,
    deployStatus: note.deployStatus ?? null,
    startedAt: toTime(startedAt),
    finishedAt: toTime(finishedAt),
  };
}

export const listDrifts = ({ drift }: Context) =>
  defineRoute({
    method: "GET",
    path: "/render/drift",
    auth: "any",
    summary: "Where Render differs from the blueprint now, field by field, and since when",
    query: WholeListQuery,
    replies: { 200: DriftList },
    async handle({ query, signal }) {
      const found = await reading(() => drift.list(signal));
      const all = found.map(({ since, ...rest }) => ({ ...rest, since: since.toISOString() }));
      return { status: 200, body: takePart(all, query, ({ resource, field }) => `${resource} ${field}`) };
    },
  });

export const revertDrifts = ({ desk }: Context) =>
  defineRoute({
    method: "POST",
    path: "/render/drift/revert",
    auth: "any",
    summary: "The plan that puts Render back, for all differences or some; it is applied by its planId",
    body: Type.Optional(ChooseDrifts),
    replies: { 200: BlueprintPlan },
    async handle({ body, actor, signal }: RouteInput<undefined, undefined, ChooseDrifts | undefined>) {
      const wish = { prune: false, only: body?.items ?? null };
      return { status: 200, body: await reading(() => desk.plan(wish, actor, signal)) };
    },
  });

export const adoptDrifts = ({ adoptDrifts: adopt }: Context) =>
  defineRoute({
    method: "POST",
    path: "/render/drift/adopt",
    auth: "any",
    summary:
      "The patch that brings the blueprint to what is live, for all differences or some; changes nothing by itself",
    body: Type.Optional(ChooseDrifts),
    replies: { 200: Adoption },
    async handle({ body, signal }: RouteInput<undefined, undefined, ChooseDrifts | undefined>) {
      return { status: 200, body: await reading(() => adopt(body?.items ?? null, signal)) };
    },
  });
