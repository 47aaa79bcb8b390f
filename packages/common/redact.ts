import { hideSecrets, judgeKey, type KeyKind, redactedMark } from "./secret-shapes.ts";

/** Replaces secrets wherever they stand; built once, from what everybody hides and what this fleet hides besides. */
export type Redactor = {
  /** A copy of a JSON value in which every secret reads `[redacted]`. */
  redact(value: unknown): unknown;
  /** The same for a text: credentials in URLs, `name=value` of secret-like names, well-known token shapes. */
  redactText(text: string): string;
};

export type RedactionRules = {
  /** Names of keys whose values are hidden too, in any case and joining, anywhere in a key. */
  keys?: readonly string[] | undefined;
  /** Shapes of values that are hidden too; see `toShape`. */
  patterns?: readonly string[] | undefined;
};

type Container = Record<string, unknown> | unknown[];
type Known = { kind: KeyKind; name: string };

/** Keys repeat in every record; the bound keeps a sender of random keys from growing it. */
const knownKeysMax = 5_000;
const keyLengthMax = 200;

/**
 * Values of secret-like keys are replaced whole, whatever they hold (a boolean or null stays, and a number where the name is a
 * count's), and so are `value` beside a secret-like `key` or `name`, and secrets told by their shape in any text, keys included.
 * The input is not touched.
 *
 * Iterative, because `JSON.parse` makes values far deeper than the stack allows; linear in the size of the value.
 */
export function buildRedactor({ keys = [], patterns = [] }: RedactionRules = {}): Redactor {
  const hide = buildHide(patterns);
  const judge = buildJudge(keys);
  const knownKeys = new Map<string, Known>();

  function knowKey(key: string): Known {
    const known = knownKeys.get(key);
    if (known) return known;
    const judged = { kind: key.length > keyLengthMax ? "plain" : judge(key), name: hide(key) } as const;
    if (knownKeys.size >= knownKeysMax) knownKeys.clear();
    if (key.length <= keyLengthMax) knownKeys.set(key, judged);
    return judged;
  }

  /** `{"key":"API_TOKEN","value":"…"}`, as vendors list environment variables and headers. */
  function isNamedSecret(source: Record<string, unknown>): boolean {
    const name = source.key ?? source.name;
    if (typeof name !== "string" || name.length > keyLengthMax || knowKey(name).kind === "plain") return false;
    return isHidden("secret", source.value);
  }

  function redact(value: unknown): unknown {
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
      if (typeof found === "string") return hide(found);
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
        const isSecret =
          known.kind !== "plain" ? isHidden(known.kind, found) : key === "value" && isNamedSecret(source);
        put(target, known.name, isSecret ? redactedMark : visit(found));
      }
    }
  }

  return { redact, redactText: hide };
}

const everywhere = buildRedactor();

/** What is hidden in every fleet. */
export const { redact, redactText } = everywhere;

function buildHide(patterns: readonly string[]): (text: string) => string {
  if (patterns.length === 0) return hideSecrets;
  const own = new RegExp(patterns.map(toShape).join("|"), "g");
  return (text) => hideSecrets(text).replace(own, redactedMark);
}

/**
 * A pattern as a regular expression that is linear whatever it is used on: `*` (at the end only) is a run of letters, digits and
 * `_ . ~ + / = -`, `?` one of them, `#` one digit, all else itself. No letter or digit may stand right before or after what it
 * finds, so that `##` finds no part of a longer number.
 */
function toShape(pattern: string): string {
  const token = "[A-Za-z0-9_.~+/=-]";
  const shapes: Record<string, string> = { "*": `${token}+`, "?": token, "#": "[0-9]" };
  const body = [...pattern].map((char) => shapes[char] ?? char.replace(/[\\^$.|+()[\]{}/]/, "\\$&")).join("");
  return `(?<![A-Za-z0-9])${body}(?![A-Za-z0-9])`;
}

function buildJudge(keys: readonly string[]): (key: string) => KeyKind {
  const own = keys.map(toPlainName).filter((name) => name !== "");
  if (own.length === 0) return judgeKey;
  return (key) => {
    const name = toPlainName(key);
    return own.some((wanted) => name.includes(wanted)) ? "secret" : judgeKey(key);
  };
}

function toPlainName(key: string): string {
  return key.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

function toPlain(found: object): unknown {
  return "toJSON" in found && typeof found.toJSON === "function" ? found.toJSON() : found;
}

function isHidden(kind: KeyKind, found: unknown): boolean {
  if (found === null || found === undefined || typeof found === "boolean") return false;
  return kind === "secret" || typeof found !== "number";
}

function put(target: Record<string, unknown>, key: string, value: unknown): void {
  // Assigning `__proto__` would set the copy's prototype.
  if (key === "__proto__")
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  else target[key] = value;
}
