/** One place where two JSON values differ; `undefined` means that the place is not there. */
export type Change = { path: string; from: unknown; to: unknown };

const MAX_CHANGES = 200;

type Walk = { changes: Change[]; depth: number };

function isContainer(value: unknown): value is Record<string, unknown> | unknown[] {
  return typeof value === "object" && value !== null;
}

function childPath(path: string, key: string, inArray: boolean): string {
  if (inArray) return `${path}[${key}]`;
  return path === "" ? key : `${path}.${key}`;
}

function walk(path: string, from: unknown, to: unknown, state: Walk): void {
  if (Object.is(from, to) || state.changes.length >= MAX_CHANGES) return;
  const bothContainers = isContainer(from) && isContainer(to) && Array.isArray(from) === Array.isArray(to);
  if (!bothContainers || state.depth > 64) {
    state.changes.push({ path, from, to });
    return;
  }
  const before = from as Record<string, unknown>;
  const after = to as Record<string, unknown>;
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const inner = { changes: state.changes, depth: state.depth + 1 };
    walk(childPath(path, key, Array.isArray(from)), before[key], after[key], inner);
  }
}

/** The leaves at which two JSON values differ, in the order of their keys, at most 200. */
export function diffValues(from: unknown, to: unknown, path = ""): Change[] {
  const state: Walk = { changes: [], depth: 0 };
  walk(path, from, to, state);
  return state.changes;
}

/** Changed with every write and of no interest to whoever decides. */
const silent = new Set(["version", "updatedAt", "events", "why", "progress"]);

/** What changed between two versions of one task, as a person who decides needs to see it. */
export function diffTasks(from: object, to: object): Change[] {
  const before = from as Record<string, unknown>;
  const after = to as Record<string, unknown>;
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => !silent.has(key));
  return keys.flatMap((key) => diffValues(before[key], after[key], key)).slice(0, MAX_CHANGES);
}

/** A value on one line, cut to a length. */
export function toPreview(value: unknown, maxLength = 120): string {
  if (value === undefined) return "not set";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}
