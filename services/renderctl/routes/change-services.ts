import { invalidInput } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { SeenTask } from "../clients/orchestrator.ts";
import type { Context } from "../context.ts";
import type { Deploy } from "../render-shapes.ts";
import { toShownDeploy } from "../render-views.ts";
import { findProblems, withDefaults } from "../service-request.ts";
import { ask, PendingTask } from "./ask.ts";
import { DeployBody, EnvBody, NewServiceBody, OnService, RenderId, RollbackBody, toTexts } from "./bodies.ts";

/** Results are as the runs give them; `taskId` is where the audit is. */
const Result = Type.Object({ taskId: Type.String() }, { additionalProperties: true });
const EnvResult = Type.Object(
  {
    set: Type.Array(Type.String()),
    unchanged: Type.Array(Type.String()),
    removed: Type.Array(Type.String()),
    taskId: Type.String(),
  },
  { additionalProperties: true },
);

export const createService = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/render/services",
    auth: "any",
    summary: "Make a service from a repository; its first deploy begins at once, and each push deploys",
    body: NewServiceBody,
    replies: { 201: Result, 202: PendingTask },
    async handle(input) {
      const { env, ...wish } = input.body;
      const payload = withDefaults({ ...wish, ...(env && { env: toTexts(env) }) }, context.repository);
      const problems = findProblems(payload);
      if (problems.length > 0) throw invalidInput(problems);
      return await ask(context, input, { type: "render.service.create", payload, status: 201 });
    },
  });

export const patchEnv = (context: Context) =>
  defineRoute({
    method: "PATCH",
    path: "/render/services/:id/env",
    auth: "any",
    summary: "Set environment variables; keys that are not named stay, unless `clear` removes them",
    params: OnService,
    body: EnvBody,
    replies: { 200: EnvResult, 202: PendingTask },
    async handle(input) {
      const { env, ...rest } = input.body;
      const payload = { serviceId: input.params.id, env: toTexts(env), ...rest };
      const early = begunDeploy(context);
      return await ask(context, input, { type: "render.env", payload, status: 200, early });
    },
  });

export const deploy = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/render/deploy/:id",
    auth: "any",
    summary: "Deploy a service now; the task follows the deploy to its end",
    params: OnService,
    body: DeployBody,
    bodyOptional: true,
    replies: { 201: Result, 202: PendingTask },
    async handle(input) {
      const payload = { serviceId: input.params.id, ...input.body };
      const early = begunDeploy(context);
      return await ask(context, input, { type: "render.deploy", payload, status: 201, early });
    },
  });

export const rollback = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/render/rollback/:id",
    auth: "any",
    summary: "Go back to a deploy that was live: the one that is named, or the last good one before the live one",
    params: OnService,
    body: RollbackBody,
    bodyOptional: true,
    replies: { 201: Result, 202: PendingTask },
    async handle(input) {
      const payload = { serviceId: input.params.id, ...input.body };
      const early = begunDeploy(context);
      return await ask(context, input, { type: "render.rollback", payload, status: 201, early });
    },
  });

export const cancelDeploy = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/render/services/:id/deploys/:deployId/cancel",
    auth: "any",
    summary: "Cancel a deploy that is under way",
    params: Type.Object({ id: RenderId, deployId: RenderId }, { additionalProperties: false }),
    body: Type.Object({}, { additionalProperties: false }),
    bodyOptional: true,
    replies: { 200: Result, 202: PendingTask },
    async handle(input) {
      const { id, deployId } = input.params;
      const payload = { serviceId: id, deployId };
      return await ask(context, input, { type: "render.deploy.cancel", payload, status: 200 });
    },
  });

/** Whoever deploys need not wait for its end: the deploy that the run has begun is the answer. */
function begunDeploy({ store }: Context) {
  return async ({ id }: SeenTask) => {
    const intent = await store.findIntent(id, 0);
    const begun = intent?.result?.deploy as Deploy | undefined;
    if (!begun) return null;
    const shown = toShownDeploy(begun);
    const also = intent?.result?.also as Record<string, unknown> | undefined;
    // A deploy that is all that was asked for is the answer itself.
    return also && "set" in also ? { ...also, deploy: shown } : { deployId: begun.id, ...shown };
  };
}
