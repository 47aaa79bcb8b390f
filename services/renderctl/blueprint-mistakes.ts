import { type EnvEntry, isBuiltIn, labelOf, type Resource, type ServiceResource } from "./blueprint.ts";

/* Mistakes that no schema finds: between entries, and between fields. */

type Problem = { path: string; message: string };

export function findMistakes(resources: readonly Resource[]): Problem[] {
  return [
    ...findDoubleNames(resources),
    ...resources.flatMap((resource) => findDoubleKeys(resource)),
    ...resources.flatMap((resource) => (resource.kind === "envgroup" ? findGroupMistakes(resource.env, resource) : [])),
    ...resources.flatMap((resource) => (resource.kind === "service" ? findServiceMistakes(resource) : [])),
    ...findWrongReferences(resources),
    ...findCycles(resources),
  ];
}

/** Render knows services and stores by their names; two of one name could not be told apart. */
function findDoubleNames(resources: readonly Resource[]): Problem[] {
  const seen = new Set<string>();
  return resources.flatMap((resource) => {
    const label = labelOf(resource);
    const isAgain = seen.has(label);
    seen.add(label);
    return isAgain ? [{ path: `${resource.pointer}/name`, message: "is the name of another entry above" }] : [];
  });
}

function findDoubleKeys(resource: Resource): Problem[] {
  if (!("env" in resource)) return [];
  const keys = resource.env.map(({ key }) => key);
  const again = keys.filter((key, index) => keys.indexOf(key) !== index);
  return [...new Set(again)].map((key) => ({
    path: `${resource.pointer}/envVars`,
    message: `sets ${key} more than once`,
  }));
}

function findGroupMistakes(env: readonly EnvEntry[], { pointer }: Resource): Problem[] {
  const bad = env.filter(({ source }) => source.kind !== "value" && source.kind !== "generated");
  return bad.map(({ key }) => ({
    path: `${pointer}/envVars`,
    message: `cannot hold ${key}: a group has only value and generateValue; put it into the services`,
  }));
}

function findServiceMistakes({ fields, type, pointer }: ServiceResource): Problem[] {
  const { rootDir, staticPublishPath: publish } = fields;
  const repeats = typeof rootDir === "string" && typeof publish === "string" && publish.startsWith(`${rootDir}/`);
  const problems: Problem[] = [];
  if (repeats) {
    const message = `repeats rootDir, which it is already relative to; write ${JSON.stringify(publish.slice(rootDir.length + 1) || ".")}`;
    problems.push({ path: `${pointer}/staticPublishPath`, message });
  }
  if (type !== "static_site" && fields.runtime === undefined) {
    problems.push({ path: `${pointer}/runtime`, message: "is required" });
  }
  if (fields.runtime === "image" && fields.image === undefined) {
    problems.push({ path: `${pointer}/image`, message: "is required when runtime is image" });
  }
  return problems;
}

/** References to entries of this file whose kind or name is nearly right; other names may be live, and the plan looks. */
function findWrongReferences(resources: readonly Resource[]): Problem[] {
  const kindOf = { database: "database", keyvalue: "keyvalue", service: "service", variable: "service" } as const;
  return resources.flatMap((resource) =>
    entriesOf(resource).flatMap(({ key, source }) => {
      if (!("name" in source)) return [];
      const wanted = kindOf[source.kind];
      const same = resources.filter(({ name }) => name === source.name);
      if (same.length === 0 || same.some(({ kind }) => kind === wanted)) return [];
      const message = `takes ${key} from the ${wanted} ${JSON.stringify(source.name)}, which is a ${same[0]?.kind} here`;
      return [{ path: `${resource.pointer}/envVars`, message }];
    }),
  );
}

function entriesOf(resource: Resource): EnvEntry[] {
  return resource.kind === "service" ? resource.env : [];
}

/** The services that must be there before this one can be made. Render's own variables of a service can follow later. */
function neededServices(resource: Resource): string[] {
  return entriesOf(resource).flatMap(({ source }) => {
    if (source.kind === "service") return [source.name];
    return source.kind === "variable" && !isBuiltIn(source.key) ? [source.name] : [];
  });
}

function findCycles(resources: readonly Resource[]): Problem[] {
  const services = new Map(resources.flatMap((one) => (one.kind === "service" ? [[one.name, one]] : [])));
  const done = new Set<string>();
  const problems: Problem[] = [];
  const walk = (name: string, trail: string[]): void => {
    const service = services.get(name);
    const at = trail.indexOf(name);
    if (!service || done.has(name)) return;
    if (at >= 0) {
      const circle = [...trail.slice(at), name].join(" -> ");
      problems.push({ path: `${service.pointer}/envVars`, message: `needs itself: ${circle}` });
      return;
    }
    for (const next of neededServices(service)) walk(next, [...trail, name]);
    done.add(name);
  };
  for (const name of services.keys()) walk(name, []);
  return problems;
}
