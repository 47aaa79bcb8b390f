import { Type } from "typebox";
import { expect, test } from "vitest";
import {
  buildConfigReport,
  ConfigError,
  defineSettings,
  ensureConfig,
  schemaHash,
  serviceSettings,
} from "./settings.ts";

const { PORT, INTERNAL_KEY, WS_ALLOWED_ORIGINS, PUBLIC_URL, LOG_LEVEL } = serviceSettings;
const schema = defineSettings("test", { PORT, INTERNAL_KEY, WS_ALLOWED_ORIGINS, PUBLIC_URL, LOG_LEVEL });
const good = { INTERNAL_KEY: "internal-key" };

function problemsOf(env: Record<string, string>): Record<string, string> {
  try {
    ensureConfig(schema, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return Object.fromEntries(error.problems.map(({ key, message }) => [key, message]));
  }
  return {};
}

test("defaults are filled in, and what is optional stays away", () => {
  expect(ensureConfig(schema, good)).toEqual({
    PORT: 0,
    INTERNAL_KEY: "internal-key",
    WS_ALLOWED_ORIGINS: [],
    LOG_LEVEL: "info",
  });
});

test("texts become what the schema says", () => {
  const settings = ensureConfig(schema, {
    ...good,
    PORT: " 4010 ",
    WS_ALLOWED_ORIGINS: "https://a.example, http://localhost:4080,",
  });
  expect(settings.PORT).toBe(4010);
  expect(settings.WS_ALLOWED_ORIGINS).toEqual(["https://a.example", "http://localhost:4080"]);
});

test("an empty text counts as not set", () => {
  expect(ensureConfig(schema, { ...good, PORT: "", PUBLIC_URL: "" })).not.toHaveProperty("PUBLIC_URL");
  expect(problemsOf({ INTERNAL_KEY: "" })).toEqual({ INTERNAL_KEY: "is required but not set" });
});

test("keys of other services are nobody's business", () => {
  expect(ensureConfig(schema, { ...good, RENDER_API_TOKEN: "x", PATH: "/bin" })).not.toHaveProperty("PATH");
});

test.each([
  ["PORT", "eighty"],
  ["PORT", "70000"],
  ["PORT", "-1"],
  ["PORT", "80.5"],
  ["PORT", "0x50"],
  ["PUBLIC_URL", "ftp://files.example"],
  ["PUBLIC_URL", "https://person:hunter2@host.example"],
  ["WS_ALLOWED_ORIGINS", "*"],
  ["WS_ALLOWED_ORIGINS", "https://a.example/path"],
  ["WS_ALLOWED_ORIGINS", "https://a.example/"],
  ["WS_ALLOWED_ORIGINS", "null"],
  ["LOG_LEVEL", "loud"],
  ["INTERNAL_KEY", "short"],
  ["INTERNAL_KEY", "with space in it"],
])("%s=%s is refused by its name and without its value", (key, value) => {
  const problems = problemsOf({ ...good, [key]: value });
  expect(Object.keys(problems)).toEqual([key]);
  expect(problems[key]).not.toContain(value);
});

test("every bad key is named, not only the first", () => {
  expect(Object.keys(problemsOf({ PORT: "x", LOG_LEVEL: "y" })).sort()).toEqual(["INTERNAL_KEY", "LOG_LEVEL", "PORT"]);
});

test("a message says what is expected", () => {
  expect(problemsOf({ ...good, PUBLIC_URL: "x", LOG_LEVEL: "loud", INTERNAL_KEY: "x" })).toEqual({
    PUBLIC_URL: "must be an http(s) URL",
    LOG_LEVEL: 'must be one of "trace", "debug", "info", "warn", "error", "fatal"',
    INTERNAL_KEY: "must NOT have fewer than 8 characters",
  });
});

test("the report knows set, default, missing and invalid, what is required and what is secret", () => {
  const report = buildConfigReport(schema, { PORT: "99999", LOG_LEVEL: "debug" });
  expect(report).toMatchObject({ service: "test", ok: false });
  expect(report.settings).toEqual([
    { key: "PORT", status: "invalid", required: false, secret: false, message: "must be <= 65535" },
    { key: "INTERNAL_KEY", status: "missing", required: true, secret: true, message: "is required but not set" },
    { key: "WS_ALLOWED_ORIGINS", status: "default", required: false, secret: false },
    { key: "PUBLIC_URL", status: "missing", required: false, secret: false },
    { key: "LOG_LEVEL", status: "set", required: false, secret: false },
  ]);
});

test("a report of good settings is ok, although an optional key is missing", () => {
  expect(buildConfigReport(schema, good).ok).toBe(true);
});

test("no value is in the report or in the error, whatever is wrong with it", () => {
  const env = { INTERNAL_KEY: "sécret", PUBLIC_URL: "hunter2", PORT: "hunter3", WS_ALLOWED_ORIGINS: "hunter4" };
  const text = JSON.stringify([buildConfigReport(schema, env), problemsOf(env)]);
  expect(text).not.toMatch(/hunter|sécret/);
});

test("the hash changes with the schema and with nothing else", () => {
  const same = defineSettings("other", { LOG_LEVEL, PUBLIC_URL, WS_ALLOWED_ORIGINS, INTERNAL_KEY, PORT });
  const different = defineSettings("test", { ...schema.schema.properties, PORT: Type.Integer({ default: 1 }) });
  expect(schemaHash(schema)).toMatch(/^[0-9a-f]{64}$/);
  expect(schemaHash(defineSettings("test", schema.schema.properties))).toBe(schemaHash(schema));
  expect(schemaHash(different)).not.toBe(schemaHash(schema));
  expect(Object.keys(same.schema.properties)).toHaveLength(5);
});

test("a default that is a list is not shared between two readings", () => {
  ensureConfig(schema, good).WS_ALLOWED_ORIGINS.push("https://evil.example");
  expect(ensureConfig(schema, good).WS_ALLOWED_ORIGINS).toEqual([]);
});

test("booleans and numbers are read as people write them", () => {
  const flags = defineSettings("test", { A: Type.Boolean(), B: Type.Boolean(), C: Type.Number() });
  expect(ensureConfig(flags, { A: "TRUE", B: "0", C: "-1.5" })).toEqual({ A: true, B: false, C: -1.5 });
  expect(() => ensureConfig(flags, { A: "maybe", B: "no", C: "1e3" })).toThrow(ConfigError);
});
