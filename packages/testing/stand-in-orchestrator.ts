import { randomUUID } from "node:crypto";
import { type Heartbeat, Heartbeat as HeartbeatBody } from "@signalbox/common/contracts/agent.ts";
import { ApiError } from "@signalbox/common/errors.ts";
import { defineRoute, type Route } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import { eventually } from "./eventually.ts";
import { asService, serveRoutes } from "./http-service.ts";

export type SeenCall = { call: "progress" | "events" | "end"; taskId: string; lease: string | null; body: unknown };

export type StandInOrchestrator = AsyncDisposable & {
  url: string;
  /** internal keys that it accepts and that it shows agents */
  internalKey: string;
  heartbeats: Heartbeat[];
  calls: SeenCall[];
  /** what it answers to calls of agents, asked anew each time; null = as usual */
  refuse: (call: SeenCall["call"] | "heartbeat") => ApiError | null;
  /** resolves with the first agent whose heartbeat arrives */
  registered(): Promise<Heartbeat>;
  /** posts a run as the orchestrator does */
  run(agentUrl: string, run: Partial<RunBody> & { path?: string; signal?: AbortSignal }): Promise<Response>;
};

type RunBody = { taskId: string; type: string; payload: unknown; attempt: number; deadline: string; input: unknown };

const TaskId = Type.Object({ id: Type.String() });

/** What agents see of the orchestrator: heartbeats, progress, events, the end of a deferred run. It remembers and runs nothing. */
export async function standInOrchestrator(): Promise<StandInOrchestrator> {
  const seen: Pick<StandInOrchestrator, "heartbeats" | "calls" | "refuse"> = {
    heartbeats: [],
    calls: [],
    refuse: () => null,
  };
  const service = await serveRoutes([
    heartbeatRoute(seen),
    callRoute(seen, "POST", "progress"),
    callRoute(seen, "POST", "events"),
    callRoute(seen, "PATCH", "end"),
  ]);
  return Object.assign(seen, {
    url: service.url,
    internalKey: "key-of-now",
    registered: () => eventually(() => seen.heartbeats[0], { what: "a heartbeat" }),
    run: postRun,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  });
}

type Seen = Pick<StandInOrchestrator, "heartbeats" | "calls" | "refuse">;

function heartbeatRoute(seen: Seen): Route {
  return defineRoute({
    method: "POST",
    path: "/agents/heartbeat",
    auth: "internal",
    summary: "heartbeat",
    body: HeartbeatBody,
    replies: { 200: Type.Unknown() },
    async handle({ body }) {
      const refusal = seen.refuse("heartbeat");
      if (refusal) throw refusal;
      seen.heartbeats.push(body);
      return { status: 200, body: {} };
    },
  });
}

function callRoute(seen: Seen, method: "POST" | "PATCH", call: SeenCall["call"]): Route {
  return defineRoute({
    method,
    path: call === "end" ? "/task/:id" : `/task/:id/${call}`,
    auth: "internal",
    summary: call,
    params: TaskId,
    body: Type.Object({ attempt: Type.Integer() }, { additionalProperties: true }),
    replies: { 200: Type.Unknown() },
    async handle({ params, body, headers }) {
      const lease = headers["x-task-lease"];
      seen.calls.push({ call, taskId: params.id, lease: typeof lease === "string" ? lease : null, body });
      const refusal = seen.refuse(call);
      if (refusal) throw refusal;
      return { status: 200, body: { version: 2 } };
    },
  });
}

function postRun(
  agentUrl: string,
  { path = "/run", signal, ...run }: Partial<RunBody> & { path?: string; signal?: AbortSignal },
): Promise<Response> {
  const body = {
    taskId: randomUUID(),
    type: "test.run",
    payload: {},
    attempt: 1,
    traceId: "0af7651916cd43dd8448eb211c80319c",
    correlationId: "order 7",
    deadline: new Date(Date.now() + 30_000).toISOString(),
    ...run,
  };
  return fetch(`${agentUrl}${path}`, {
    method: "POST",
    headers: {
      ...asService,
      "content-type": "application/json",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "x-task-lease": "lease-1",
    },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

/** 409 as the orchestrator says it when the attempt does not count any more. */
export function leaseLost(): ApiError {
  return new ApiError("lease_lost", "Another attempt runs.");
}
