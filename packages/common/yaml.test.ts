import { expect, test } from "vitest";
import { readYaml } from "./yaml.ts";

const text = `a: 1
list:
  - name: first
    deep:
      key/with~odd: x
  - name: second
`;

test.each([
  ["/a", 1],
  ["/list", 2],
  ["/list/0/name", 3],
  ["/list/0/deep/key~1with~0odd", 5],
  ["/list/1", 6],
  ["/list/1/name", 6],
  ["/list/1/missing/deeper", 6],
  ["/nowhere", 1],
])("%s stands on line %i", (pointer, line) => {
  const read = readYaml(text);
  expect(read.kind === "yaml" && read.lineOf(pointer)).toBe(line);
});

test.each([
  ["a: [", 1],
  ["a: 1\nb: 2\na: 3\n", 3],
  ["a: &x 1\nb: *x\n", 2],
])("%j is broken, on line %i", (broken, line) => {
  expect(readYaml(broken)).toMatchObject({ kind: "broken", line, message: expect.stringContaining("not valid YAML") });
});
