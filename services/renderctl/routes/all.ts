import { buildRunRoutes } from "@signalbox/common/agent.ts";
import type { Route } from "@signalbox/common/route.ts";
import type { Context } from "../context.ts";
import { adoptDrifts, applyBlueprint, getApply, listDrifts, revertDrifts } from "./blueprint.ts";
import { cancelDeploy, createService, deploy, patchEnv, rollback } from "./change-services.ts";
import { listDeploys, listServices, readEnv } from "./read-services.ts";
import { listRepairs } from "./repairs.ts";
import { buildTypes } from "./task-types.ts";

/** Every route of renderctl besides those that all agents have. */
export function buildOwnRoutes(context: Context): Route[] {
  const builders = [
    ...[listServices, createService, listDeploys, cancelDeploy, readEnv, patchEnv, deploy, rollback],
    ...[applyBlueprint, getApply, listDrifts, revertDrifts, adoptDrifts, listRepairs],
  ];
  return builders.map((build) => build(context));
}

/** The same with those that run tasks: for the OpenAPI document. */
export function buildRoutes(context: Context): Route[] {
  return [...buildOwnRoutes(context), ...buildRunRoutes(buildTypes(context))];
}
