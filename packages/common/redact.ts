import { hideSecrets, judgeKey, type KeyKind, redactedMark } from "./secret-shapes.ts";

/** Replaces secrets in a text: credentials in URLs, `name=value` of secret-like names, well-known token shapes. */
export function redactText(text: string): string {
  return hideSecrets(text);
}

type Container = Record<string, unknown> | unknown[];
type Known = { kind: KeyKind; name: string };

/** Keys repeat in every record; the bound keeps a sender of random keys from growing it. */
const knownKeys = new Map<string, Known>();
const knownKeysMax = 5_000;

/**
 * A copy of a JSON value in which every secret reads `[redacted]`: values of secret-like keys (whole, whatever they hold; a
 * boolean or null stays, and a number where the name is a count's), `value` beside a secret-like `key` or `name`, and secrets
 * told by their shape in any text, keys included. The input is not touched.
 *
 * Iterative, because `JSON.parse` makes values far deeper than the stack allows; linear in the size of the value.
 */
export function redact(value: unknown): unknown {
  const sources: Container[] = [];
  const targets: Container[] = [];
  const root = visit(value);
  for (let source = sources.pop(); source; source = sources.pop()) {
    const target = targets.pop();
    if (Array.isArray(source)) for (const item of source) (target as unknown[]).push(visit(item));
    else copyObject(source, target as Record<string, unknown>);
  }
  return root;

  function visit(found: unknown): unknown {
    if (typeof found === "string") return hideSecrets(found);
    if (typeof found !== "object" || found === null) return found;
    const plain = toPlain(found);
    if (typeof plain !== "object" || plain === null) return visit(plain);
    const copy = Array.isArray(plain) ? [] : {};
    sources.push(plain as Container);
    targets.push(copy);
    return copy;
  }

  function copyObject(source: Record<string, unknown>, target: Record<string, unknown>): void {
    for (const key of Object.keys(source)) {
      const known = knowKey(key);
      const found = source[key];
      const hide = known.kind !== "plain" ? isHidden(known.kind, found) : key === "value" && isNamedSecret(source);
      put(target, known.name, hide ? redactedMark : visit(found));
    }
  }
}

function toPlain(found: object): unknown {
  return "toJSON" in found && typeof found.toJSON === "function" ? found.toJSON() : found;
}

function knowKey(key: string): Known {
  const known = knownKeys.get(key);
  if (known) return known;
  const judged = { kind: key.length > 200 ? "plain" : judgeKey(key), name: hideSecrets(key) } as const;
  if (knownKeys.size >= knownKeysMax) knownKeys.clear();
  if (key.length <= 200) knownKeys.set(key, judged);
  return judged;
}

function isHidden(kind: KeyKind, found: unknown): boolean {
  if (found === null || found === undefined || typeof found === "boolean") return false;
  return kind === "secret" || typeof found !== "number";
}

/** `{"key":"API_TOKEN","value":"…"}`, as vendors list environment variables and headers. */
function isNamedSecret(source: Record<string, unknown>): boolean {
  const name = source.key ?? source.name;
  return (
    typeof name === "string" && name.length <= 200 && knowKey(name).kind !== "plain" && isHidden("secret", source.value)
  );
}

function put(target: Record<string, unknown>, key: string, value: unknown): void {
  // Assigning `__proto__` would set the copy's prototype.
  if (key === "__proto__")
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  else target[key] = value;
}
