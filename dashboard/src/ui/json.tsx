import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";

const MAX_CHILDREN = 100;
const LONG_TEXT = 500;
const OPEN_DEPTH = 2;

type Entry = readonly [key: string, value: unknown];

function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function summarise(value: object): string {
  const count = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (Array.isArray(value)) return count === 1 ? "[1 item]" : `[${count} items]`;
  return count === 1 ? "{1 field}" : `{${count} fields}`;
}

/** One JSON value as a tree: deep or long parts are folded, long texts cut, and everything opens. */
export function JsonTree({ value }: { value: unknown }) {
  return (
    <div class="json mono">
      <JsonNode name={null} value={value} depth={0} isLast />
    </div>
  );
}

type NodeProps = { name: string | null; value: unknown; depth: number; isLast: boolean };

function JsonNode({ name, value, depth, isLast }: NodeProps) {
  if (isContainer(value) && Object.keys(value).length > 0)
    return <JsonBranch name={name} value={value} depth={depth} isLast={isLast} />;
  return (
    <div class="json-line">
      <JsonName name={name} />
      <JsonLeaf value={value} />
      {!isLast && ","}
    </div>
  );
}

function JsonName({ name }: { name: string | null }) {
  if (name === null) return null;
  return (
    <>
      <span class="json-name">{name}</span>
      <span class="json-mark">: </span>
    </>
  );
}

function JsonLeaf({ value }: { value: unknown }) {
  if (typeof value === "string") return <JsonText value={value} />;
  const kind = value === null ? "null" : typeof value;
  return (
    <span class={`json-${kind}`}>{isContainer(value) ? (Array.isArray(value) ? "[]" : "{}") : String(value)}</span>
  );
}

function JsonText({ value }: { value: string }) {
  const whole = useSignal(value.length <= LONG_TEXT);
  const text = JSON.stringify(whole.value ? value : value.slice(0, LONG_TEXT));
  return (
    <span class="json-string">
      {text}
      {!whole.value && (
        <button type="button" class="link" onClick={() => (whole.value = true)}>
          show all {value.length} characters
        </button>
      )}
    </span>
  );
}

function JsonBranch({ name, value, depth, isLast }: NodeProps & { value: object }) {
  const entries: Entry[] = Object.entries(value);
  const open = useSignal(depth < OPEN_DEPTH && entries.length <= MAX_CHILDREN);
  const isArray = Array.isArray(value);
  const [left, right] = isArray ? ["[", "]"] : ["{", "}"];
  return (
    <div class="json-branch">
      <button type="button" class="json-toggle" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        <span class="json-caret" aria-hidden="true" />
        <JsonName name={name} />
        {open.value ? left : <span class="json-folded">{summarise(value)}</span>}
      </button>
      {open.value && (
        <>
          <JsonChildren entries={entries} depth={depth} isArray={isArray} />
          <div class="json-line">
            {right}
            {!isLast && ","}
          </div>
        </>
      )}
    </div>
  );
}

function JsonChildren({
  entries,
  depth,
  isArray,
}: {
  entries: Entry[];
  depth: number;
  isArray: boolean;
}): ComponentChildren {
  const limit = useSignal(MAX_CHILDREN);
  return (
    <div class="json-children">
      {entries.slice(0, limit.value).map(([key, item], index) => (
        <JsonNode
          key={key}
          name={isArray ? null : key}
          value={item}
          depth={depth + 1}
          isLast={index === entries.length - 1}
        />
      ))}
      {entries.length > limit.value && (
        <button type="button" class="link" onClick={() => (limit.value += 10 * MAX_CHILDREN)}>
          show {entries.length - limit.value} more
        </button>
      )}
    </div>
  );
}
