import { List, Nullable } from "@signalbox/common/contracts/primitives.ts";
import { invalidRequest } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { takePart } from "@signalbox/common/whole-list.ts";
import { Type } from "typebox";
import type { RenderApi } from "../clients/render.ts";
import type { Context } from "../context.ts";
import { RenderError } from "../render-error.ts";
import type { Service } from "../render-shapes.ts";
import { inListOrder, toShownDeploy, toShownService } from "../render-views.ts";
import { OnService, ServiceTypeName } from "./bodies.ts";
import { reading } from "./read-error.ts";

const closed = { additionalProperties: false } as const;
const Text = Nullable(Type.String());

const ShownDeploy = {
  id: Type.String(),
  status: Type.String(),
  trigger: Text,
  commit: Nullable(Type.Object({ id: Type.String(), message: Text }, closed)),
  createdAt: Text,
  finishedAt: Text,
};

const ShownService = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    type: Type.String(),
    url: Text,
    suspended: Type.Boolean(),
    autoDeploy: Type.Boolean(),
    monitored: Type.Boolean({ description: "its owner consents to repairs (RENDER_MONITOR_SERVICES)" }),
    lastDeploy: Nullable(Type.Object(ShownDeploy, closed)),
    createdAt: Type.String(),
  },
  closed,
);

const page = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 50 })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
};
const defaultLimit = 50;

/** Reads at once: the account's limits are for everything that uses it. */
const readsAtOnce = 5;

export const listServices = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/render/services",
    auth: "any",
    summary: "Services of the account with their last deploy, newest first",
    query: Type.Object(
      {
        name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: "the exact name" })),
        type: Type.Optional(ServiceTypeName),
        ...page,
      },
      closed,
    ),
    replies: { 200: List(ShownService) },
    async handle({ query, signal }) {
      const { name, type, limit = defaultLimit, cursor } = query;
      const api = context.client.during({ signal });
      return await reading(async () => {
        const found = await api.services.list({ ...(name !== undefined && { name }), ...(type && { type }) });
        // Render's own match may be a loose one.
        const fitting = inListOrder(found).filter(
          (one) => (name ?? one.name) === one.name && (type ?? one.type) === one.type,
        );
        const { items, nextCursor } = takePart(
          fitting,
          { limit, ...(cursor !== undefined && { cursor }) },
          ({ id }) => id,
        );
        return { status: 200, body: { items: await withDeploys(api, items, context.monitored), nextCursor } };
      });
    },
  });

const foreignCursor = () => invalidRequest("/cursor", "is not a cursor that this list gave; start again without one");
const toCursor = (text: string) => Buffer.from(text).toString("base64url");
const fromCursor = (cursor: string) => Buffer.from(cursor, "base64url").toString("utf8");

async function withDeploys(api: RenderApi, services: Service[], monitored: readonly string[]) {
  const shown: ReturnType<typeof toShownService>[] = [];
  for (let at = 0; at < services.length; at += readsAtOnce) {
    const some = services.slice(at, at + readsAtOnce).map(async (service) => {
      const { items } = await api.deploys.page(service.id, { limit: 1 });
      return toShownService(service, items[0] ?? null, monitored);
    });
    shown.push(...(await Promise.all(some)));
  }
  return shown;
}

export const listDeploys = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/render/services/:id/deploys",
    auth: "any",
    summary: "Deploys of a service, newest first; those that were asked for here with their task and trace",
    params: OnService,
    query: Type.Object(page, closed),
    replies: { 200: List(Type.Object({ ...ShownDeploy, taskId: Text, traceId: Text }, closed)) },
    async handle({ params, query, signal }) {
      const { limit = defaultLimit, cursor } = query;
      const { deploys } = context.client.during({ signal });
      const { items, next } = await reading(() => readDeploys(deploys, params.id, { limit, cursor }));
      const asked = new Map(
        (await context.store.listAsked(items.map(({ id }) => id))).map((one) => [one.deployId, one]),
      );
      const shown = items.map((deploy) => {
        const { taskId = null, traceId = null } = asked.get(deploy.id) ?? {};
        return { ...toShownDeploy(deploy), taskId, traceId };
      });
      return {
        status: 200,
        body: { items: shown, nextCursor: next === null ? null : toCursor(`${params.id} ${next}`) },
      };
    },
  });

/** @throws ApiError 400 for a cursor that is not of this service's list, or that Render does not take */
async function readDeploys(
  deploys: RenderApi["deploys"],
  serviceId: string,
  { limit, cursor }: { limit: number; cursor: string | undefined },
) {
  if (cursor === undefined) return await deploys.page(serviceId, { limit });
  const [owner, after] = fromCursor(cursor).split(" ", 2);
  if (owner !== serviceId || after === undefined) throw foreignCursor();
  try {
    return await deploys.page(serviceId, { limit, cursor: after });
  } catch (error) {
    throw error instanceof RenderError && error.status === 400 ? foreignCursor() : error;
  }
}

const states = ["same", "differs", "only_live", "only_blueprint"] as const;

export const readEnv = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/render/services/:id/env",
    auth: "any",
    summary: "Environment variables by name, and how they stand to the blueprint; never a value",
    params: OnService,
    replies: {
      200: Type.Object(
        { items: Type.Array(Type.Object({ key: Type.String(), state: Type.Enum([...states]) }, closed)) },
        closed,
      ),
    },
    async handle({ params, signal }) {
      const api = context.client.during({ signal });
      const items = await reading(() => context.envReader.read(api, params.id, signal));
      return { status: 200, body: { items } };
    },
  });
