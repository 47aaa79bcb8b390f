/*
 * What a change of an API takes away from those who use it. Added routes, members and optional parameters take nothing; what is missing now,
 * is of another type, is demanded of a caller, or is no longer promised to one, does. The fields of a release are never changed in their meaning.
 */

type Json = Record<string, unknown>;
/** Who writes the value: a caller must still be understood, a reader must still find what was promised. */
type Side = "request" | "response";
type Scene = { before: Json; after: Json; side: Side };

/** A line for each thing that is broken, such as `POST /task request.priority: is gone`; none when nobody has to change anything. */
export function findBroken(before: Json, after: Json): string[] {
  const [old, now] = [before, after].map((document) => recordOf(document.paths));
  return Object.entries(old ?? {}).flatMap(([path, methods]) =>
    Object.entries(recordOf(methods)).flatMap(([method, route]) => {
      const name = `${method.toUpperCase()} ${path}`;
      const found = recordOf(now?.[path])[method];
      return found === undefined
        ? [`${name}: is gone`]
        : compareRoute({ before, after }, recordOf(route), recordOf(found)).map((line) => `${name} ${line}`);
    }),
  );
}

type Documents = { before: Json; after: Json };

function compareRoute(documents: Documents, old: Json, now: Json): string[] {
  return [
    ...compareSecurity(old, now),
    ...compareParameters(documents, old, now),
    ...compareBody(documents, old, now),
    ...compareReplies(documents, old, now),
  ];
}

/** Each way in that there was must still be one. */
function compareSecurity(old: Json, now: Json): string[] {
  const ways = (route: Json) => listOf(route.security).map((way) => Object.keys(recordOf(way)).sort().join("+"));
  const left = ways(now);
  if (left.length === 0) return [];
  const gone = ways(old).filter((way) => !left.includes(way));
  const isPublic = ways(old).length === 0;
  return [
    ...gone.map((way) => `security: ${way} lets nobody in any more`),
    ...(isPublic ? ["security: was public"] : []),
  ];
}

function compareParameters(documents: Documents, old: Json, now: Json): string[] {
  const name = (one: Json) => `${String(one.in)} ${String(one.name)}`;
  const [before, after] = [old, now].map(({ parameters }) => listOf(parameters).map(recordOf));
  const scene: Scene = { ...documents, side: "request" };
  const changed = (before ?? []).flatMap((one) => {
    const found = after?.find((other) => name(other) === name(one));
    if (!found) return [`${name(one)}: is gone`];
    const demanded = found.required === true && one.required !== true ? [`${name(one)}: is demanded now`] : [];
    return [...demanded, ...compareSchema(scene, { path: name(one), old: one.schema, now: found.schema })];
  });
  const added = (after ?? []).filter(
    (one) => one.required === true && !before?.some((other) => name(other) === name(one)),
  );
  return [...changed, ...added.map((one) => `${name(one)}: is demanded now`)];
}

function compareBody(documents: Documents, old: Json, now: Json): string[] {
  const [before, after] = [recordOf(old.requestBody), recordOf(now.requestBody)];
  const demanded = after.required === true && before.required !== true ? ["request: a body is demanded now"] : [];
  return [
    ...demanded,
    ...compareContents({ ...documents, side: "request" }, { path: "request", old: before, now: after }),
  ];
}

function compareReplies(documents: Documents, old: Json, now: Json): string[] {
  const [before, after] = [recordOf(old.responses), recordOf(now.responses)];
  return Object.entries(before).flatMap(([status, reply]) => {
    const path = `response ${status}`;
    const found = after[status];
    if (found === undefined) return [`${path}: is gone`];
    return compareContents({ ...documents, side: "response" }, { path, old: reply, now: found });
  });
}

type Pair = { path: string; old: unknown; now: unknown };

function compareContents(scene: Scene, { path, old, now }: Pair): string[] {
  const [before, after] = [old, now].map((one) => recordOf(recordOf(one).content));
  return Object.entries(before ?? {}).flatMap(([type, content]) => {
    const found = after?.[type];
    if (found === undefined) return [`${path}: ${type} is gone`];
    return compareSchema(scene, { path, old: recordOf(content).schema, now: recordOf(found).schema });
  });
}

function compareSchema(scene: Scene, { path, old, now }: Pair): string[] {
  const [before, after] = [resolve(old, scene.before), resolve(now, scene.after)];
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [
    ...compareType(path, before, after),
    ...compareWords(scene.side, path, { before, after }),
    ...compareLimits(scene.side, path, { before, after }),
    ...compareMembers(scene, path, { before, after }),
    ...compareChoices(scene, path, { before, after }),
    ...(before.items === undefined
      ? []
      : compareSchema(scene, { path: `${path}[]`, old: before.items, now: after.items })),
  ];
}

/** No type at all is any type: as a promise that is less than one, as a demand it is no more. */
function compareType(path: string, before: Json, after: Json): string[] {
  const [old, now] = [before.type, after.type].map((one) => JSON.stringify(one));
  return old === now || (old === '"integer"' && now === '"number"')
    ? []
    : [`${path}: was ${old ?? "anything"}, is ${now ?? "anything"}`];
}

type Schemas = { before: Json; after: Json };

/** What a caller may say must stay sayable; what a reader may find may not become unknown to him. */
function compareWords(side: Side, path: string, { before, after }: Schemas): string[] {
  const words = (schema: Json) => ("const" in schema ? [schema.const] : schema.enum) as unknown[] | undefined;
  const [old, now] = [words(before), words(after)];
  if (old === undefined || now === undefined)
    return old === now || (side === "request") === (now === undefined) ? [] : [`${path}: its words are others`];
  const gone = old.filter((word) => !now.includes(word));
  return side === "request" ? gone.map((word) => `${path}: may not be ${JSON.stringify(word)} any more`) : [];
}

const ceilings = ["maximum", "maxLength", "maxItems", "exclusiveMaximum"];
const floors = ["minimum", "minLength", "minItems", "exclusiveMinimum"];

/** Only of callers: who reads does not mind that a value is smaller than it could be. */
function compareLimits(side: Side, path: string, { before, after }: Schemas): string[] {
  if (side === "response") return [];
  const isTighter = (key: string, sign: 1 | -1) => {
    const [old, now] = [before[key], after[key]];
    if (typeof now !== "number") return false;
    return typeof old === "number" ? sign * now < sign * old : true;
  };
  const tighter = [...ceilings.filter((key) => isTighter(key, 1)), ...floors.filter((key) => isTighter(key, -1))];
  const other = ["pattern", "format"].filter((key) => after[key] !== undefined && after[key] !== before[key]);
  return [...tighter, ...other].map(
    (key) => `${path}: ${key} is ${String(after[key])}, was ${String(before[key] ?? "none")}`,
  );
}

function compareMembers(scene: Scene, path: string, { before, after }: Schemas): string[] {
  const [old, now] = [recordOf(before.properties), recordOf(after.properties)];
  const [must, mustNow] = [listOf(before.required).map(String), listOf(after.required).map(String)];
  const members = Object.entries(old).flatMap(([key, schema]) =>
    key in now
      ? compareSchema(scene, { path: `${path}.${key}`, old: schema, now: now[key] })
      : [`${path}.${key}: is gone`],
  );
  const more =
    scene.side === "request"
      ? mustNow.filter((key) => !must.includes(key)).map((key) => `${path}.${key}: is demanded now`)
      : [];
  const less =
    scene.side === "response"
      ? must
          .filter((key) => key in now && !mustNow.includes(key))
          .map((key) => `${path}.${key}: is not promised any more`)
      : [];
  const closed =
    scene.side === "request" &&
    after.additionalProperties === false &&
    before.additionalProperties !== false &&
    before.type === "object"
      ? [`${path}: takes no further members any more`]
      : [];
  return [...members, ...more, ...less, ...closed];
}

/** Every alternative of before must be one of now, whatever their order. */
function compareChoices(scene: Scene, path: string, { before, after }: Schemas): string[] {
  if (before.anyOf === undefined)
    return after.anyOf === undefined || Object.keys(before).length === 0 ? [] : [`${path}: became a choice`];
  const choices = listOf(after.anyOf ?? [after]);
  const lost = listOf(before.anyOf).filter(
    (one) => !choices.some((other) => compareSchema(scene, { path, old: one, now: other }).length === 0),
  );
  return lost.length === 0 ? [] : [`${path}: ${lost.length} of its alternatives changed`];
}

function resolve(schema: unknown, document: Json): Json {
  const found = recordOf(schema);
  const [, name] = /^#\/components\/schemas\/(.+)$/.exec(String(found.$ref ?? "")) ?? [];
  return name === undefined ? found : recordOf(recordOf(recordOf(document.components).schemas)[name]);
}

function recordOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
