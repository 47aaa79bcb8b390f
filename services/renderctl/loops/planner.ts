import { readFile, stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ApiError, invalidRequest, notFound } from "@signalbox/common/errors.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import { readYaml } from "@signalbox/common/yaml.ts";
import type { TSchema } from "typebox";
import type { Blueprint, Fields, Json } from "../blueprint.ts";
import type { Scene } from "../blueprint-diff.ts";
import { type Seen, toFingerprint, whatMoved, whatWasSeen } from "../blueprint-live.ts";
import { type Chosen, narrowPlan } from "../blueprint-narrow.ts";
import { type CheckValue, parseBlueprint } from "../blueprint-parse.ts";
import { type Plan, planBlueprint, withRepository } from "../blueprint-plan.ts";
import type { RenderApi, RenderClient } from "../clients/render.ts";
import type { Service } from "../render-shapes.ts";
import type { SiteSettings } from "../repair-fix.ts";
import type { BlueprintStore } from "../store/blueprints.ts";
import type { StoredPlan } from "../store/plans.ts";
import { readLive } from "./account.ts";
import { readReference } from "./references.ts";

/* Makes plans: reads the file and what is live, and keeps what was shown until it expires. */

export type Planner = ReturnType<typeof buildPlanner>;

export type PlannerOptions = {
  client: RenderClient;
  store: BlueprintStore;
  /** the workspace that is meant; throws ApiError when it is not clear which */
  ownerId(api: RenderApi): Promise<string>;
  hash(value: string): string;
  /** the repository of what the blueprint builds without naming one */
  repository: string | null;
  /** the id of this service, when it runs on Render itself */
  selfId: string | null;
  keepPlanSeconds?: number;
};

const root = fileURLToPath(new URL("../../../", import.meta.url));
const shipped = "infra/render.blueprint.yaml";
const maxFileBytes = 1_048_576;
const defaultKeepSeconds = 900;

/** What a plan was made of and what it says. */
export type Draft = {
  account: string;
  path: string;
  text: string;
  prune: boolean;
  /** what the plan is for; null: everything */
  only: readonly Chosen[] | null;
  plan: Plan;
  seen: Seen;
  scene: Scene;
};

export type DraftWish = { path?: string | undefined; prune: boolean; text?: string; only?: readonly Chosen[] | null };

export function buildPlanner(options: PlannerOptions) {
  const { client, store, hash, repository, selfId } = options;

  async function lookAt(text: string, path: string, signal: AbortSignal): Promise<{ account: string; scene: Scene }> {
    const blueprint = withRepository(parseOrThrow(text, path), repository);
    const api = client.during({ signal });
    const account = await options.ownerId(api);
    const live = await readLive({ api, ownerId: account, signal, hash }, blueprint);
    return { account, scene: { blueprint, live, hash } };
  }

  async function draft(wanted: DraftWish, signal: AbortSignal): Promise<Draft> {
    const { path = shipped, prune, only = null } = wanted;
    const text = wanted.text ?? (await readBlueprint(path));
    const { account, scene } = await lookAt(text, path, signal);
    const managedIds = await store.listManaged(account);
    const whole = planBlueprint(scene, { prune, managedIds, selfId });
    const plan = only === null ? whole : narrowPlan(whole, only);
    return { account, path, text, prune, only, plan, seen: whatWasSeen(scene.blueprint, scene.live), scene };
  }

  return {
    draft,
    /** The blueprint of a text that was read before. */
    parse: (text: string, path: string): Blueprint => withRepository(parseOrThrow(text, path), repository),

    siteOf,
    expectedOf: (service: Service, signal: AbortSignal) => expectedOf(options, service, signal),

    async keep(
      { account, path, text, prune, only, plan, seen }: Draft,
      actor: string,
      seconds = options.keepPlanSeconds ?? defaultKeepSeconds,
    ): Promise<StoredPlan> {
      const fingerprint = toFingerprint(seen);
      const about = {
        id: uuidv7(),
        account,
        blueprintPath: path,
        blueprint: text,
        prune,
        only: only && [...only],
        plan,
        fingerprint,
        seen,
        actor,
      };
      return await store.insertPlan(about, seconds);
    },

    /**
     * The plan that was shown, made again: it can only be the same one.
     *
     * @throws ApiError 404 when it is unknown or has expired, 409 plan_stale naming what moved
     */
    async confirm(planId: string, signal: AbortSignal): Promise<{ stored: StoredPlan; now: Draft }> {
      const stored = await store.findPlan(planId);
      if (!stored) throw notFound("plan (it may have expired)", planId);
      const { blueprintPath: path, prune, only } = stored;
      const now = await draft({ path, prune, only }, signal).catch((error: unknown) => {
        if (error instanceof ApiError && error.code === "blueprint_invalid") throw stale(["the blueprint file"]);
        throw error;
      });
      const moved = whatMoved(stored.seen, now.seen);
      if (moved.length > 0) throw stale(moved);
      return { stored, now };
    },
  };
}

/** What the shipped blueprint says of how a site is built; null when it is not in it. */
async function siteOf({ name }: Service): Promise<Partial<SiteSettings> | null> {
  const { resources } = parseOrThrow(await readBlueprint(shipped), shipped);
  const found = resources.find((one) => one.kind === "service" && one.name === name && one.type === "static_site");
  return found?.kind === "service" ? toSite(found.fields) : null;
}

function toSite({ rootDir, buildCommand, staticPublishPath }: Fields): Partial<SiteSettings> {
  const text = (value: Json | undefined) => (value === null ? "" : String(value));
  return {
    ...(rootDir !== undefined && { rootDir: text(rootDir) }),
    ...(buildCommand !== undefined && { buildCommand: text(buildCommand) }),
    ...(staticPublishPath !== undefined && { publishPath: text(staticPublishPath) || "." }),
  };
}

/** What the shipped blueprint says of the variables of a service; a value that nobody foresees has no hash. */
async function expectedOf(options: PlannerOptions, { name, type }: Service, signal: AbortSignal) {
  const { resources } = parseOrThrow(await readBlueprint(shipped), shipped);
  const found = resources.find((one) => one.kind === "service" && one.name === name && one.type === type);
  if (found?.kind !== "service") return [];
  const api = options.client.during({ signal });
  const now = { api, ownerId: await options.ownerId(api), signal, pollMs: 0, patienceMs: -1 };
  return await Promise.all(
    found.env.map(async ({ key, source }) => {
      if (source.kind === "value") return { key, hash: options.hash(source.value) };
      const value = "name" in source ? await readReference(now, source) : null;
      return { key, hash: value === null ? null : options.hash(value) };
    }),
  );
}

function stale(moved: string[]): ApiError {
  const what = moved.slice(0, 5).join(", ") + (moved.length > 5 ? ` and ${moved.length - 5} more` : "");
  const message = `This plan is stale: ${what} changed since it was made. Nothing was done; make a new plan.`;
  return new ApiError("plan_stale", message, { details: [{ moved }] });
}

/** @throws ApiError 400 */
async function readBlueprint(path: string): Promise<string> {
  if (!/\.ya?ml$/.test(path)) throw invalidRequest("/blueprintPath", "must name a .yaml or .yml file");
  const file = isAbsolute(path) ? path : resolve(join(root, path));
  try {
    const { size } = await stat(file);
    if (size > maxFileBytes) throw invalidRequest("/blueprintPath", "names a file of more than 1 MiB");
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw invalidRequest("/blueprintPath", `names ${path}, which cannot be read (${code})`);
  }
}

const maxDetails = 20;
const compiled = new Map<TSchema, ReturnType<typeof compileCheck>>();
const check: CheckValue = (schema, value) => {
  const known = compiled.get(schema) ?? compileCheck(schema);
  compiled.set(schema, known);
  return known(value);
};

/** @throws ApiError 422 blueprint_invalid, with the line of everything that is wrong */
function parseOrThrow(text: string, path: string): Blueprint {
  const parsed = parseBlueprint(readYaml(text), check);
  if (parsed.kind === "blueprint") return parsed.blueprint;
  const [first] = parsed.problems;
  const more = parsed.problems.length > 1 ? ` (and ${parsed.problems.length - 1} more, see details)` : "";
  throw new ApiError("blueprint_invalid", `${path}:${first?.line}: ${first?.message}${more}`, {
    details: parsed.problems.slice(0, maxDetails),
  });
}
