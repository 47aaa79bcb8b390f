import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

/** What stands in a payload where a secret was. */
export const redacted = "[redacted]";

/** Encrypted members of a payload by their JSON Pointers. */
export type Sealed = Record<string, string>;

type Schema = Record<string, unknown>;

/**
 * Finds the members that a schema marks `writeOnly`, through properties, items, combinations and local references.
 *
 * @returns JSON Pointers of those that are in the payload, outermost only
 */
export function findSecretMembers(schema: Schema, payload: unknown): string[] {
  const found = new Set<string>();
  walk({ schema, value: payload, pointer: "", root: schema, depth: 0 }, found);
  const all = [...found].sort();
  return all.filter((pointer) => !all.some((outer) => outer !== pointer && pointer.startsWith(`${outer}/`)));
}

type Spot = { schema: unknown; value: unknown; pointer: string; root: Schema; depth: number };

/** A schema may refer to itself; deeper than a payload may be nested there is nothing to find. */
const maxDepth = 130;

function walk(spot: Spot, found: Set<string>): void {
  const { schema, value, pointer, root, depth } = spot;
  if (!isRecord(schema) || value === undefined || depth > maxDepth) return;
  if (schema.writeOnly === true) {
    found.add(pointer);
    return;
  }
  const target = typeof schema.$ref === "string" ? resolve(root, schema.$ref) : undefined;
  const alternatives = [
    target,
    ...["allOf", "anyOf", "oneOf"].flatMap((key) => (Array.isArray(schema[key]) ? schema[key] : [])),
    schema.then,
    schema.else,
  ];
  for (const one of alternatives) walk({ ...spot, schema: one, depth: depth + 1 }, found);
  for (const [key, child] of childrenOf(schema, value)) {
    walk(
      { schema: child.schema, value: child.value, pointer: `${pointer}/${escapePart(key)}`, root, depth: depth + 1 },
      found,
    );
  }
}

function childrenOf(schema: Schema, value: unknown): [string, { schema: unknown; value: unknown }][] {
  if (Array.isArray(value)) return value.map((item, index) => [String(index), { schema: schema.items, value: item }]);
  if (!isRecord(value)) return [];
  const properties = isRecord(schema.properties) ? schema.properties : {};
  return Object.entries(value).map(([key, member]) => [
    key,
    { schema: Object.hasOwn(properties, key) ? properties[key] : schema.additionalProperties, value: member },
  ]);
}

function resolve(root: Schema, reference: string): unknown {
  if (!reference.startsWith("#")) return undefined;
  return reference
    .slice(1)
    .split("/")
    .slice(1)
    .reduce<unknown>(
      (at, part) => (isRecord(at) ? at[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined),
      root,
    );
}

/** Key for AES-256 from a setting of any length. */
export function toSealingKey(secret: string): Buffer {
  return createHash("sha256").update(`signalbox payload members\n${secret}`).digest();
}

/** @param nonce twelve bytes that never come twice, passed in so that the rule stays pure */
export type SealOptions = { key: Buffer; taskId: string; kept?: Sealed | null; nonce: () => Buffer };

/**
 * Encrypts one value for one place, so that it can be moved to no other. AES-256-GCM.
 *
 * @param bound names the place, and is needed again to decrypt
 */
export function seal({ key, nonce: draw }: Pick<SealOptions, "key" | "nonce">, bound: string, value: unknown): string {
  const nonce = draw();
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(bound));
  const body = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64");
}

/** @throws Error when key or place are not those that it was sealed with */
export function unseal(key: Buffer, bound: string, text: string): unknown {
  const bytes = Buffer.from(text, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12))
    .setAAD(Buffer.from(bound))
    .setAuthTag(bytes.subarray(12, 28));
  return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8"));
}

/**
 * Takes the secrets out of a payload.
 *
 * @param kept what is sealed already: a member that still reads `[redacted]` keeps its value
 */
export function sealPayload(
  payload: unknown,
  pointers: readonly string[],
  options: SealOptions,
): { payload: unknown; sealed: Sealed | null } {
  if (pointers.length === 0) return { payload, sealed: null };
  const sealed: Sealed = {};
  let shown = payload;
  for (const pointer of pointers) {
    const value = readMember(payload, pointer);
    const kept = value === redacted ? options.kept?.[pointer] : undefined;
    sealed[pointer] = kept ?? seal(options, `${options.taskId}${pointer}`, value);
    shown = write(shown, toParts(pointer), redacted);
  }
  return { payload: shown, sealed };
}

/** The payload as the agent gets it; a secret whose place a patch has taken away stays away. @throws Error when the key is not the one that sealed it */
export function unsealPayload(
  payload: unknown,
  sealed: Sealed | null,
  options: { key: Buffer | null; taskId: string },
): unknown {
  if (sealed === null) return payload;
  const { key, taskId } = options;
  if (key === null) throw new Error("the task holds secrets, and SECRETS_KEY is not set");
  const asked = Object.entries(sealed).filter(([pointer]) => readMember(payload, pointer) === redacted);
  return asked.reduce(
    (whole, [pointer, text]) => write(whole, toParts(pointer), unseal(key, `${taskId}${pointer}`, text)),
    payload,
  );
}

function toParts(pointer: string): string[] {
  return pointer === ""
    ? []
    : pointer
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The member of a payload that a JSON Pointer names; undefined when there is none. */
export function readMember(value: unknown, pointer: string): unknown {
  return toParts(pointer).reduce<unknown>(
    (at, part) => (typeof at === "object" && at !== null ? (at as Record<string, unknown>)[part] : undefined),
    value,
  );
}

/** A copy with one place changed; what is not on the way is shared. */
function write(value: unknown, [part, ...rest]: string[], placed: unknown): unknown {
  if (part === undefined) return placed;
  if (Array.isArray(value)) return value.with(Number(part), write(value[Number(part)], rest, placed));
  const record = value as Record<string, unknown>;
  return { ...record, [part]: write(record[part], rest, placed) };
}

function escapePart(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
