/** What a watcher sees of the rest of the fleet: tasks that can be made, found and ended by the test. */
import { randomUUID } from "node:crypto";
import type { CreateTask, Task, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { ApiError } from "@signalbox/common/errors.ts";
import { defineRoute, type Route } from "@signalbox/common/route.ts";
import { serveRoutes } from "@signalbox/testing/http-service.ts";
import { Type } from "typebox";

export type FleetStandIn = AsyncDisposable &
  State & {
    url: string;
    ofType(type: string): Task[];
    /** adds a task that somebody else made, a person unless it says otherwise */
    add(task: GivenTask, actor?: string): Task;
  };

type GivenTask = Partial<TaskWithEvents> & { type: string };
type State = {
  tasks: (TaskWithEvents & { idempotencyKey: string | null })[];
  /** types that nobody has registered */
  unknownTypes: string[];
  /** an orchestrator that is away for a while */
  isAway: boolean;
};

const Any = Type.Unknown();
const Open = Type.Object({}, { additionalProperties: true });

export async function startFleetStandIn(): Promise<FleetStandIn> {
  const state: State = { tasks: [], unknownTypes: [], isAway: false };
  const service = await serveRoutes([makeRoute(state), readRoute(state), listRoute(state), ...agentRoutes()]);
  return Object.assign(state, {
    url: service.url,
    add: (task: GivenTask, actor = "person:operator") => add(state, task, { actor, idempotencyKey: null }),
    ofType: (type: string) => state.tasks.filter((task) => task.type === type),
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  });
}

function ensureThere({ isAway }: State): void {
  if (isAway) throw new ApiError("unavailable", "away");
}

function add(state: State, given: GivenTask, made: { actor: string; idempotencyKey: string | null }) {
  const events = [{ kind: "created", actor: made.actor }] as TaskWithEvents["events"];
  const task = { ...toTask(given), events, idempotencyKey: made.idempotencyKey };
  state.tasks.push(task);
  return task;
}

function makeRoute(state: State): Route {
  return defineRoute({
    ...{ method: "POST", path: "/task", auth: "internal", summary: "make", body: Open, replies: { 201: Any } },
    async handle({ body, headers }) {
      ensureThere(state);
      const { approval, ...fields } = body as CreateTask;
      const key = [headers["idempotency-key"]].flat()[0] ?? null;
      const known = state.tasks.find(({ idempotencyKey }) => idempotencyKey !== null && idempotencyKey === key);
      if (known) return { status: 200, body: known };
      if (state.unknownTypes.includes(fields.type))
        throw new ApiError("unsupported_task_type", `nobody runs ${fields.type}`);
      const waiting = { status: "waiting" as const, waitingFor: "approval" as const };
      const reason = {
        reason: approval?.reason ?? null,
        prompt: null,
        requestedBy: null,
        expiresAt: null,
        decidedBy: null,
        decidedAt: null,
      };
      const approving = approval?.required === true ? { ...waiting, approval: reason } : {};
      return { status: 201, body: add(state, { ...(fields as GivenTask), ...approving }, maker(key)) };
    },
  });
}

function readRoute(state: State): Route {
  return defineRoute({
    ...{ method: "GET", path: "/task/:id", auth: "internal", summary: "read", replies: { 200: Any } },
    params: Type.Object({ id: Type.String() }),
    async handle({ params }) {
      ensureThere(state);
      return { status: 200, body: state.tasks.find(({ id }) => id === params.id) };
    },
  });
}

const maker = (idempotencyKey: string | null) => ({ actor: "service:internal", idempotencyKey });

const filters = ["type", "status", "waitingFor", "source"] as const;
const Words = Object.fromEntries(
  [...filters, "since", "until", "limit"].map((key) => [key, Type.Optional(Type.String())]),
);
const TaskQuery = Type.Object(Words, { additionalProperties: false });

function listRoute(state: State): Route {
  return defineRoute({
    ...{ method: "GET", path: "/tasks", auth: "internal", summary: "list", query: TaskQuery, replies: { 200: Any } },
    async handle({ query }) {
      ensureThere(state);
      const wanted = query as Record<string, string>;
      const items = state.tasks.filter((task) =>
        filters.every((key) => wanted[key] === undefined || task[key] === wanted[key]),
      );
      return { status: 200, body: { items, nextCursor: null } };
    },
  });
}

function agentRoutes(): Route[] {
  const answer = async () => ({ status: 200, body: { items: [], nextCursor: null } });
  const shared = { auth: "internal", summary: "agents", replies: { 200: Any }, handle: answer } as const;
  return [
    defineRoute({ ...shared, method: "GET", path: "/agents" }),
    defineRoute({ ...shared, method: "POST", path: "/agents/heartbeat", body: Open }),
  ];
}

function toTask(given: Partial<Task> & { type: string }): Task {
  const now = new Date().toISOString();
  return {
    ...{ id: randomUUID(), source: "test", status: "queued", version: 1, payload: {}, result: null, error: null },
    ...{
      correlationId: null,
      traceId: "0af7651916cd43dd8448eb211c80319c",
      priority: 0,
      attempt: 0,
      maxAttempts: 3,
      runAt: now,
    },
    ...{
      timeoutMs: 30_000,
      concurrencyKey: null,
      parentId: null,
      agent: null,
      userKey: null,
      waitingFor: null,
      approval: null,
    },
    ...{ progress: null, createdAt: now, updatedAt: now, startedAt: null, finishedAt: null },
    ...given,
  };
}
