import { AgentList, Heartbeat, TaskTypeList } from "@signalbox/common/contracts/agent.ts";
import { invalidRequest } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { takePart, WholeListQuery } from "@signalbox/common/whole-list.ts";
import { Type } from "typebox";
import { judgeAgentUrl } from "../address.ts";
import type { Context } from "../context.ts";
import { staleMs } from "../lease.ts";
import type { TypeCatalog } from "../loops/type-catalog.ts";

const maxSchemaBytes = 65_536;

export const heartbeat = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/agents/heartbeat",
    auth: "internal",
    summary: "An agent instance lives, and runs these types",
    body: Heartbeat,
    replies: { 200: Type.Object({ staleAfterMs: Type.Integer() }, { additionalProperties: false }) },
    quiet: true,
    maxInFlight: null,
    async handle({ body }) {
      checkBeat(body, context.catalog);
      await context.store.recordHeartbeat(body);
      context.catalog.forget();
      context.roster.hear(body);
      return { status: 200, body: { staleAfterMs: staleMs } };
    },
  });

function checkBeat(beat: Heartbeat, catalog: TypeCatalog): void {
  const problem = judgeAgentUrl(beat.url);
  if (problem !== null) throw invalidRequest("/url", problem);
  const seen = new Set<string>();
  for (const [index, type] of beat.types.entries()) {
    if (seen.has(type.type)) throw invalidRequest(`/types/${index}/type`, "was named twice");
    seen.add(type.type);
    if (!type.payloadSchema) continue;
    const problem = judgeSchema(type.payloadSchema, catalog);
    if (problem !== null) throw invalidRequest(`/types/${index}/payloadSchema`, problem);
  }
}

/** Why a payload cannot be judged by it; null when it can. */
function judgeSchema(schema: Record<string, unknown>, catalog: TypeCatalog): string | null {
  if (JSON.stringify(schema).length > maxSchemaBytes) return `is larger than ${maxSchemaBytes} bytes`;
  try {
    catalog.ensureSchema(schema);
    return null;
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 300) : "it cannot be compiled";
    return `is not a usable JSON Schema: ${why}`;
  }
}

export const listAgents = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/agents",
    auth: "any",
    summary: "Agent instances, live or stale",
    query: WholeListQuery,
    replies: { 200: AgentList },
    async handle({ query }) {
      const agents = await store.listAgents();
      const all = agents.map(({ ageMs, ...agent }) => ({ ...agent, state: ageMs <= staleMs ? "live" : "stale" }));
      return { status: 200, body: takePart(all, query, ({ name, instance }) => `${name} ${instance}`) };
    },
  });

export const listTaskTypes = ({ catalog }: Context) =>
  defineRoute({
    method: "GET",
    path: "/task-types",
    auth: "any",
    summary: "Every type that an agent has ever registered",
    query: WholeListQuery,
    replies: { 200: TaskTypeList },
    async handle({ query }) {
      const all = (await catalog.list()).map(({ approvalRequired: _approval, ...entry }) => entry);
      return { status: 200, body: takePart(all, query, ({ type }) => type) };
    },
  });
