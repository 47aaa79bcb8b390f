import { defineSettings, portSetting, serviceSettings } from "@signalbox/common/settings.ts";
import { buildAjv } from "@signalbox/common/validate.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { toConfigSchema, toEnvExample, toSettingsPage } from "./documents.ts";

const { INTERNAL_KEY, PUBLIC_URL, LOG_LEVEL } = serviceSettings;
const declared = [
  defineSettings("first", { PORT: portSetting(1), INTERNAL_KEY, PUBLIC_URL }),
  defineSettings("second", { PORT: portSetting(2), INTERNAL_KEY, LOG_LEVEL }),
  defineSettings("third", { EITHER: Type.Boolean({ description: "A | or not", default: false }) }),
];

test("the schema has an entry a service, which judges its settings by itself", () => {
  const schema = JSON.parse(toConfigSchema(declared));
  expect(Object.keys(schema.$defs)).toEqual(["first", "second", "third"]);
  const validate = buildAjv({ allErrors: true }).compile({ ...schema, $ref: "#/$defs/first" });
  expect(validate({ INTERNAL_KEY: "internal-key" })).toBe(true);
  expect(validate({ PORT: 80 })).toBe(false);
  expect(validate({ INTERNAL_KEY: "internal-key", LOG_LEVEL: "info" })).toBe(false);
});

test("what has a default or is optional is not required there", () => {
  expect(JSON.parse(toConfigSchema(declared)).$defs.first.required).toEqual(["INTERNAL_KEY"]);
});

test("the example names every key once, shared ones first, and gives no value to any", () => {
  const lines = toEnvExample(declared)
    .split("\n")
    .filter((line) => line !== "" && (!line.startsWith("#") || line.startsWith("# ----")));
  expect(lines).toEqual([
    "# ---- Several services ----",
    "PORT=",
    "INTERNAL_KEY=",
    "# ---- first ----",
    "PUBLIC_URL=",
    "# ---- second ----",
    "LOG_LEVEL=",
    "# ---- third ----",
    "EITHER=",
  ]);
});

test("the example says what a key is for, for whom, and what holds without it", () => {
  const text = toEnvExample(declared);
  expect(text).toContain("# (first, second; default 1 for first, 2 for second)\nPORT=");
  expect(text).toContain("# (first, second; secret, required)\nINTERNAL_KEY=");
  expect(text).toContain("# (optional)\nPUBLIC_URL=");
  expect(text).toContain("# Least important level that is logged\n# (default info)\nLOG_LEVEL=");
});

test("a table has a row a key, and survives a bar in a description", () => {
  const page = toSettingsPage(declared);
  expect(page).toContain("| `INTERNAL_KEY` | required | ");
  expect(page).toContain("| `EITHER` | `false` | A \\| or not. |");
  expect(page).toContain("One of `trace`, `debug`");
});
