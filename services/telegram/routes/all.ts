import { buildRunRoutes, defineTaskType, type RunnableType } from "@signalbox/common/agent.ts";
import type { Route } from "@signalbox/common/route.ts";
import type { Context } from "../context.ts";
import { Notify, notify, runNotify } from "./notify.ts";
import { createPairing, listMembers, removeMember } from "./pair.ts";
import { readState } from "./read-state.ts";
import { receiveUpdate } from "./receive-update.ts";

/** Every route, those of the task types too. */
export function buildRoutes(context: Context): Route[] {
  return [...buildRunRoutes(buildTypes(context)), ...buildOwnRoutes(context)];
}

export function buildOwnRoutes(context: Context): Route[] {
  return [receiveUpdate, notify, createPairing, listMembers, removeMember, readState].map((build) => build(context));
}

export function buildTypes(context: Context): RunnableType[] {
  return [
    defineTaskType({
      type: "telegram.notify",
      path: "/run/notify",
      description: "Tells the operators in their chats",
      payloadSchema: Notify,
      maxConcurrency: 20,
      run: (run) => runNotify(context, run),
    }),
  ];
}
