import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { expect, test } from "vitest";
import { readSpans, type YamlSpan } from "./yaml-spans.ts";

const odd = `# a comment
plain: one two # behind
quoted: "a: \\"b\\" # c"
single: 'it''s'
empty:
flow: { a: [1, "x, y", {}], b: { c: [ ] } } # behind
"a/b~c": tilde
list:
  - name: first
    items: [p, q,
      r, # inside
      ]
  - second
  -
    name: third
text: |
  several
  lines
last: true
`;

const shipped = readFileSync(join(import.meta.dirname, "../../infra/render.blueprint.yaml"), "utf8");

function valueAt(value: unknown, pointer: string): unknown {
  const parts = pointer.split("/").slice(1);
  return parts
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((at, part) => (at as Record<string, unknown>)[part], value);
}

test.each([
  ["an odd file", odd],
  ["the shipped blueprint", shipped],
])("in %s every span holds what its pointer means, and every member's key stands before it", (_what, text) => {
  const value = load(text);
  const spans = readSpans(text);
  expect(spans.size).toBeGreaterThan(20);
  for (const [pointer, span] of spans) {
    if (!isBlockText(text, span)) expect([pointer, readPiece(text, span)]).toEqual([pointer, valueAt(value, pointer)]);
    if (span.member !== null) expect([pointer, text[span.member.afterColon - 1]]).toEqual([pointer, ":"]);
  }
});

const isBlockText = (text: string, { kind, start, end }: YamlSpan) =>
  kind === "scalar" && text.slice(start, end).includes("|");

/** As if it stood alone, in the column in which it stands. */
function readPiece(text: string, { kind, isFlow, start, end }: YamlSpan): unknown {
  const piece = text.slice(start, end);
  if (piece === "") return null;
  const column = start - (text.lastIndexOf("\n", start - 1) + 1);
  return load(kind === "scalar" || isFlow ? piece : " ".repeat(column) + piece);
}
