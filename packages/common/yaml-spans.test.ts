import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { expect, test } from "vitest";
import { readSpans } from "./yaml-spans.ts";

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
  for (const [pointer, { kind, isFlow, start, end, member }] of spans) {
    const piece = text.slice(start, end);
    if ((kind === "scalar" && !piece.includes("|")) || isFlow) {
      expect([pointer, piece === "" ? null : load(piece)]).toEqual([pointer, valueAt(value, pointer)]);
    }
    if (kind !== "scalar" && !isFlow) {
      const column = start - (text.lastIndexOf("\n", start - 1) + 1);
      expect([pointer, load(" ".repeat(column) + piece)]).toEqual([pointer, valueAt(value, pointer)]);
    }
    if (member !== null) expect([pointer, text[member.afterColon - 1]]).toEqual([pointer, ":"]);
  }
});
