import { defineTaskType, type RunnableType } from "@signalbox/common/agent.ts";
import type { Context } from "../context.ts";
import { ApplyPayload } from "./blueprint.ts";
import { CancelPayload, DeployPayload, EnvPayload, NewServicePayload, RollbackPayload } from "./bodies.ts";
import { RepairPayload } from "./repairs.ts";

/** What changes an account waits for a person, unless it is a person's own call. */
const careful = { approval: "required", timeoutMs: 60_000, maxConcurrency: 20 } as const;

export function buildTypes({ runs }: Context): RunnableType[] {
  return [
    defineTaskType({
      ...careful,
      type: "render.deploy",
      path: "/run/render/deploy",
      description: "Deploys a service and follows the deploy to its end",
      payloadSchema: DeployPayload,
      run: (context) => runs.deploy(context),
    }),
    defineTaskType({
      ...careful,
      type: "render.rollback",
      path: "/run/render/rollback",
      description: "Brings a service back to a deploy that was live before",
      payloadSchema: RollbackPayload,
      run: (context) => runs.rollback(context),
    }),
    defineTaskType({
      ...careful,
      type: "render.deploy.cancel",
      path: "/run/render/cancel",
      description: "Cancels a deploy that is under way",
      payloadSchema: CancelPayload,
      run: (context) => runs.cancel(context),
    }),
    defineTaskType({
      ...careful,
      type: "render.env",
      path: "/run/render/env",
      description: "Sets environment variables of a service; keys that are not named stay",
      payloadSchema: EnvPayload,
      run: (context) => runs.env(context),
    }),
    defineTaskType({
      ...careful,
      type: "render.blueprint.apply",
      path: "/run/render/blueprint",
      description: "Makes Render match the blueprint; with planId exactly as that plan showed it",
      timeoutMs: 30_000,
      payloadSchema: ApplyPayload,
      run: (context) => runs.applyBlueprint(context),
    }),
    defineTaskType({
      // The consent is RENDER_MONITOR_SERVICES, and it is asked for once more before anything is sent.
      type: "renderctl.repair",
      path: "/run/render/repair",
      description: "Carries out a repair that the monitor has judged; made by it alone",
      timeoutMs: 30_000,
      maxConcurrency: 5,
      payloadSchema: RepairPayload,
      run: (context) => runs.repair(context),
    }),
    defineTaskType({
      ...careful,
      type: "render.service.create",
      path: "/run/render/service",
      description: "Makes a service, which begins its first deploy",
      payloadSchema: NewServicePayload,
      run: (context) => runs.newService(context),
    }),
  ];
}
