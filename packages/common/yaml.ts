import { EVENT_ID, type Event, getScalarValue, load, parseEvents, YAMLException } from "js-yaml";

/** A YAML text as values, and where in it each of them stands. */
export type YamlText =
  | {
      kind: "yaml";
      value: unknown;
      /** the line, from 1, of a JSON Pointer or of what is nearest above it */
      lineOf(pointer: string): number;
    }
  | { kind: "broken"; line: number; message: string };

/** Reads one document. Aliases are refused: a few lines of them make a value larger than memory. */
export function readYaml(text: string): YamlText {
  try {
    const value = load(text, { maxAliases: 0 });
    const lines = mapLines(text, parseEvents(text, {}));
    return { kind: "yaml", value, lineOf: (pointer) => findLine(lines, pointer) };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    return { kind: "broken", line: (error.mark?.line ?? 0) + 1, message: `is not valid YAML: ${error.reason}` };
  }
}

type Frame = { kind: "document" | "mapping" | "sequence"; pointer: string; index: number; key: string | null };

/**
 * On which line everything of a YAML text stands, by JSON Pointer; a member of a mapping stands where its key does. A reader
 * of the values alone can then say where in the file one of them is wrong.
 */
function mapLines(text: string, events: readonly Event[]): Map<string, number> {
  const lineAt = buildLineFinder(text);
  const lines = new Map<string, number>();
  const frames: Frame[] = [];
  for (const event of events) {
    if (event.type === EVENT_ID.DOCUMENT) frames.push(newFrame("document", ""));
    else if (event.type === EVENT_ID.POP) frames.pop();
    else {
      const pointer = step(frames.at(-1) ?? newFrame("document", ""), text, event);
      const at = startOf(event);
      if (!lines.has(pointer) && at >= 0) lines.set(pointer, lineAt(at));
      open(frames, event, pointer);
    }
  }
  return lines;
}

/** Where the next event of a frame stands: its key first, then the value, under the same pointer. */
function step(parent: Frame, text: string, event: Event): string {
  if (parent.kind !== "mapping" || parent.key !== null) return nextPointer(parent);
  // A key that is no scalar has no pointer; whoever reads the values will refuse it.
  parent.key = event.type === EVENT_ID.SCALAR ? getScalarValue(text, event) : "?";
  return `${parent.pointer}/${escapePart(parent.key)}`;
}

function newFrame(kind: Frame["kind"], pointer: string): Frame {
  return { kind, pointer, index: 0, key: null };
}

function open(frames: Frame[], event: Event, pointer: string): void {
  if (event.type === EVENT_ID.MAPPING) frames.push(newFrame("mapping", pointer));
  if (event.type === EVENT_ID.SEQUENCE) frames.push(newFrame("sequence", pointer));
}

function nextPointer(parent: Frame): string {
  if (parent.kind === "document") return "";
  if (parent.kind === "sequence") return `${parent.pointer}/${parent.index++}`;
  const pointer = `${parent.pointer}/${escapePart(parent.key ?? "")}`;
  parent.key = null;
  return pointer;
}

/** @see RFC 6901 */
function escapePart(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return event.valueStart;
  if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) return event.start;
  return event.type === EVENT_ID.ALIAS ? event.anchorStart : -1;
}

/** Lines count from 1. */
function buildLineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** The line of a pointer, or of what is nearest above it; 1 when nothing is known. */
function findLine(lines: ReadonlyMap<string, number>, pointer: string): number {
  for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const line = lines.get(at);
    if (line !== undefined) return line;
  }
  return lines.get("") ?? 1;
}
