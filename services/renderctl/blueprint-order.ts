import { type EnvSource, isBuiltIn, labelOf, type Resource } from "./blueprint.ts";

/*
 * In which order resources are made: what others take values from comes first. A reference to an address that Render itself
 * gives (`RENDER_EXTERNAL_URL`) is soft: where two services name each other's, one of them is made without it and gets it in
 * a later step. Circles of other references are refused when the file is read.
 */

const phases: readonly Resource["kind"][] = ["envgroup", "database", "keyvalue", "service"];

export function inOrder(resources: readonly Resource[]): Resource[] {
  const rest = phases.flatMap((kind) => resources.filter((one) => one.kind === kind));
  const done: Resource[] = [];
  while (rest.length > 0) {
    const has = (source: EnvSource) => rest.some((one) => isSourceOf(one, source));
    const free = rest.findIndex((one) => !sourcesOf(one).some((source) => has(source)));
    const almostFree = rest.findIndex((one) => !sourcesOf(one).some((source) => !isSoft(source) && has(source)));
    const [next] = rest.splice(Math.max(0, free === -1 ? almostFree : free), 1);
    if (next) done.push(next);
  }
  return done;
}

function sourcesOf(resource: Resource): EnvSource[] {
  if (!("env" in resource)) return [];
  const own = labelOf(resource);
  return resource.env
    .map(({ source }) => source)
    .filter((source) => "name" in source && `service/${source.name}` !== own);
}

export function isSoft(source: EnvSource): boolean {
  return source.kind === "variable" && isBuiltIn(source.key);
}

function isSourceOf(resource: Resource, source: EnvSource): boolean {
  if (!("name" in source) || resource.name !== source.name) return false;
  return resource.kind === (source.kind === "variable" ? "service" : source.kind);
}

/** The resource that a value is taken from, as it is called in plans. */
export function sourceLabel(source: EnvSource): string | null {
  if (!("name" in source)) return null;
  return labelOf({ kind: source.kind === "variable" ? "service" : source.kind, name: source.name });
}
