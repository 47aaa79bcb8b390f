import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildRunRoutes, type RunnableType } from "@signalbox/common/agent.ts";
import type { Route } from "@signalbox/common/route.ts";
import type { SettingsSchema } from "@signalbox/common/settings.ts";

/*
 * What every service says of itself, found by looking into `services/`: whoever adds a service adds one folder and changes
 * nothing else. Its settings stand in `settings.ts` or `app.ts` as `settings`; its routes are what `buildRoutes` of
 * `routes/all.ts` or `app.ts` returns, or follow from the `types` of an agent.
 */

export type Described = { settings: SettingsSchema; routes: Route[] };

/** All services, the one with the lowest port first. */
export async function describeServices(root: string): Promise<Described[]> {
  const folder = join(root, "services");
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const described = await Promise.all(names.sort().map(({ name }) => describeService(join(folder, name))));
  return described.filter((one) => one !== null).sort((a, b) => portOf(a) - portOf(b));
}

/** Null for a folder without a program, such as one that a removed service left behind. */
async function describeService(folder: string): Promise<Described | null> {
  if (!(await isThere(join(folder, "main.ts")))) return null;
  const { settings } = await load(folder, "settings.ts", "app.ts");
  if (!isSettings(settings))
    throw new Error(`${folder} exports no settings from settings.ts or app.ts; see README, "Add an agent"`);
  return { settings, routes: toRoutes(await load(folder, "routes/all.ts", "app.ts"), folder) };
}

function toRoutes({ buildRoutes, types }: Record<string, unknown>, folder: string): Route[] {
  if (typeof buildRoutes === "function") return buildRoutes(nobody()) as Route[];
  if (Array.isArray(types)) return buildRunRoutes(types as RunnableType[]);
  throw new Error(`${folder}/app.ts exports neither buildRoutes nor types; see README, "Add an agent"`);
}

async function load(folder: string, ...files: string[]): Promise<Record<string, unknown>> {
  for (const file of files) {
    const path = join(folder, file);
    if (await isThere(path)) return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  }
  throw new Error(`${folder} has none of ${files.join(", ")}; see README, "Add an agent"`);
}

/** Stands in for whatever handlers would work with: only the contracts of the routes are read, no handler is called. */
function nobody(): unknown {
  const anything: unknown = new Proxy(() => anything, {
    get: (_target, key) => (key === "then" ? undefined : anything),
  });
  return anything;
}

function isSettings(value: unknown): value is SettingsSchema {
  return typeof value === "object" && value !== null && "service" in value && "schema" in value;
}

function portOf({ settings }: Described): number {
  return (settings.schema.properties.PORT as { default?: number } | undefined)?.default ?? 0;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
