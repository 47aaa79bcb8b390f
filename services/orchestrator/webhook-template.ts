/*
 * Templates of a rule's task: JSON whose texts may hold `{{path|filter}}`. What comes out is only ever a JSON value inside
 * the task; it is never read again as a template, a type, a statement or a command, because senders write it.
 */
import { type Path, parsePath, readSignal, type Signal } from "./webhook-signal.ts";

/** Fills a template, or says why it cannot be filled. */
export type Template = (signal: Signal) => unknown;

/** The path is not in the delivery: this rule fails, others go on. */
export class MissingValueError extends Error {}
/** The rules file is wrong; `pointer` is where, below the template. */
export class TemplateError extends Error {
  readonly pointer: string;
  constructor(pointer: string, message: string) {
    super(message);
    this.pointer = pointer;
  }
}

const maxDepth = 32;

/** @throws TemplateError */
export function compileTemplate(value: unknown, pointer = "", depth = 0): Template {
  if (depth > maxDepth) throw new TemplateError(pointer, `is nested deeper than ${maxDepth} levels`);
  if (typeof value === "string") return compileText(value, pointer);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compileTemplate(item, `${pointer}/${index}`, depth + 1));
    return (signal) => items.map((fill) => fill(signal));
  }
  if (typeof value !== "object" || value === null) return () => value;
  const members = Object.entries(value).map(
    ([key, member]) => [key, compileTemplate(member, `${pointer}/${escapePart(key)}`, depth + 1)] as const,
  );
  return (signal) => Object.fromEntries(members.map(([key, fill]) => [key, fill(signal)]));
}

function escapePart(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function compileText(text: string, pointer: string): Template {
  const parts = splitText(text, pointer);
  const [only] = parts;
  // Alone it keeps its type: a number stays one, an object too.
  if (parts.length === 1 && typeof only === "function") return only;
  return (signal) => parts.map((part) => (typeof part === "string" ? part : toText(part(signal)))).join("");
}

function splitText(text: string, pointer: string): (string | Template)[] {
  const parts: (string | Template)[] = [];
  let at = 0;
  for (let open = text.indexOf("{{"); open !== -1; open = text.indexOf("{{", at)) {
    const close = text.indexOf("}}", open);
    if (close === -1) throw new TemplateError(pointer, "has a {{ without its }}");
    if (open > at) parts.push(text.slice(at, open));
    parts.push(compileHole(text.slice(open + 2, close), pointer));
    at = close + 2;
  }
  if (at < text.length || parts.length === 0) parts.push(text.slice(at));
  return parts;
}

/** A value inside a text; null is nothing. */
export function toText(value: unknown): string {
  if (value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What stands for "not there" between filters. */
const missing = Symbol("missing");
type Filter = (value: unknown) => unknown;

function compileHole(text: string, pointer: string): Template {
  const [name = "", ...filterTexts] = text.split("|").map((part) => part.trim());
  const path = parsePath(name);
  if (path === null) throw new TemplateError(pointer, `has {{${text}}}, and ${JSON.stringify(name)} is no path`);
  const filters = filterTexts.map((filter) => compileFilter(filter, pointer));
  return (signal) => {
    const value = filters.reduce((now, filter) => filter(now), valueAt(signal, path));
    if (value === missing) throw new MissingValueError(`{{${name}}} is not in the delivery`);
    return value;
  };
}

function valueAt(signal: Signal, path: Path): unknown {
  const found = readSignal(signal, path);
  if (path.includes("*")) return found;
  return found.length === 0 ? missing : found[0];
}

function compileFilter(text: string, pointer: string): Filter {
  const colon = text.indexOf(":");
  const [name, argument] = colon === -1 ? [text, null] : [text.slice(0, colon), text.slice(colon + 1)];
  if (name === "default" && argument !== null) {
    const fallback = parseFallback(argument);
    return (value) => (value === missing || value === null ? fallback : value);
  }
  const filter = argument === null && Object.hasOwn(textFilters, name) ? textFilters[name] : undefined;
  if (filter === undefined) {
    throw new TemplateError(
      pointer,
      `has the filter ${JSON.stringify(text)}; there are short, lower, json and default:…`,
    );
  }
  return (value) => (value === missing ? missing : filter(value));
}

const textFilters: Record<string, Filter> = {
  /** as git shortens an object's name */
  short: (value) => (typeof value === "string" ? value.slice(0, 7) : value),
  lower: (value) => (typeof value === "string" ? value.toLowerCase() : value),
  json: (value) => JSON.stringify(value),
};

/** `default:null`, `default:0` and `default:false` mean what they say in JSON; everything else is a text. */
function parseFallback(text: string): unknown {
  const known = /^(?:null|true|false|-?\d{1,15})$/.test(text);
  return known ? (JSON.parse(text) as unknown) : text;
}
