import { expect, test } from "vitest";
import { findAsked, findRollbackTarget, hasEnded } from "./deploy-status.ts";
import { compareEnv } from "./env-compare.ts";
import { planMerge } from "./env-merge.ts";
import { buildKeyedHash } from "./keyed-hash.ts";
import { operations, toTarget } from "./render-operations.ts";
import { judgeFailure } from "./render-retry.ts";
import type { Deploy, DeployStatus } from "./render-shapes.ts";
import { findSentSecrets, scrub } from "./scrub.ts";

const deploy = (id: string, status: DeployStatus, trigger = "api"): Deploy => ({ id, status, trigger });

test.each([
  [["live", "deactivated", "deactivated"], "1"],
  [["build_failed", "live", "canceled", "build_failed", "deactivated"], "4"],
  [["deactivated", "build_in_progress", "live", "deactivated"], "3"],
  [["build_failed", "deactivated"], "1"],
  [["live", "build_failed", "canceled"], undefined],
  [[], undefined],
])("of %j the rollback goes to %s", (statuses, id) => {
  const deploys = statuses.map((status, at) => deploy(String(at), status as DeployStatus));
  expect(findRollbackTarget(deploys)?.id).toBe(id);
});

test("a deploy that was asked for is one that was not there before, of the right kind, the first of them", () => {
  const deploys = [deploy("d", "created"), deploy("c", "live", "new_commit"), deploy("b", "live"), deploy("a", "live")];
  expect(findAsked(deploys, "a", "api")?.id).toBe("b");
  expect(findAsked(deploys, "b", "api")?.id).toBe("d");
  expect(findAsked(deploys, "d", "api")).toBeNull();
  expect(findAsked(deploys, "a", "rollback")).toBeNull();
  expect(findAsked(deploys.slice(0, 1), null, "api")?.id).toBe("d");
});

test("a status that nobody knows yet is on its way", () => {
  expect(hasEnded({ status: "resting" as DeployStatus })).toBe(false);
});

test("a merge names keys only, and removes only when it is told to clear", () => {
  const live = [
    { key: "B", value: "2" },
    { key: "A", value: "1" },
    { key: "toString", value: "x" },
  ];
  expect(planMerge(live, { A: "1", B: "3", C: "" }, false)).toEqual({ set: ["B", "C"], unchanged: ["A"], removed: [] });
  expect(planMerge(live, { A: "1" }, true)).toEqual({ set: [], unchanged: ["A"], removed: ["B", "toString"] });
});

test("variables are compared by hash; any value is right for one that was drawn or set by hand", () => {
  const live = { SAME: "h1", DIFFERS: "h2", DRAWN: "h3", EXTRA: "h4" };
  const expected = [
    { key: "SAME", hash: "h1" },
    { key: "DIFFERS", hash: "hx" },
    { key: "DRAWN", hash: null },
    { key: "ABSENT", hash: null },
  ];
  expect(Object.fromEntries(compareEnv(live, expected).map(({ key, state }) => [key, state]))).toEqual({
    ...{ ABSENT: "only_blueprint", DIFFERS: "differs", DRAWN: "same", EXTRA: "only_live", SAME: "same" },
  });
});

test("a keyed hash is equal for equal values under one key, and nothing else", () => {
  const [hash, other] = [buildKeyedHash("a key of this fleet"), buildKeyedHash("another key")];
  expect(hash("value")).toBe(buildKeyedHash("a key of this fleet")("value"));
  expect(new Set([hash("value"), hash("value "), hash(""), other("value")]).size).toBe(4);
  expect(hash("value")).toMatch(/^[\w-]{43}$/);
});

const get = { name: "list-services", method: "GET" } as const;
const put = { name: "update-env-var", method: "PUT" } as const;
const post = { name: "create-deploy", method: "POST" } as const;
const link = { name: "link-service-to-env-group", method: "POST" } as const;
const lost = { status: null, isUnsent: false };
const unsent = { status: null, isUnsent: true };
const answered = (status: number) => ({ status, retryAfterMs: 0 });

test.each([
  [get, lost, "again", false],
  [get, answered(503), "again", false],
  [get, answered(404), "give up", false],
  [put, lost, "again", true],
  [put, answered(500), "again", true],
  [put, answered(400), "give up", false],
  [post, lost, "give up", true],
  [post, answered(500), "give up", true],
  [post, answered(503), "give up", true],
  [post, answered(429), "again", false],
  [post, unsent, "again", false],
  [post, answered(402), "give up", false],
  [link, lost, "again", true],
])("%j after %j: %s, may have landed: %s", (call, failure, kind, mayHaveLanded) => {
  expect(judgeFailure(call, failure, 1, 0.5)).toMatchObject({ kind, mayHaveLanded });
});

test("attempts end, and what Render asks for is waited for", () => {
  expect(judgeFailure(get, answered(503), 4, 0)).toMatchObject({ kind: "give up", retryable: true });
  expect(judgeFailure(get, { status: 429, retryAfterMs: 9_000 }, 1, 0)).toEqual({
    kind: "again",
    mayHaveLanded: false,
    delayMs: 9_000,
  });
});

test("secrets of a body are found wherever they stand, and scrubbed also when they are short or odd", () => {
  const body = {
    name: "x",
    envVars: [{ key: "A", value: "a.b*c" }],
    secretFiles: [{ name: "f", content: "abc" }],
    datadogAPIKey: "dd",
  };
  const secrets = findSentSecrets(body);
  expect(secrets.sort()).toEqual(["a.b*c", "abc", "dd"]);
  expect(scrub("A is a.b*c, abc! and dd; abcdef and add stay", secrets)).toBe(
    "A is [redacted], [redacted]! and [redacted]; abcdef and add stay",
  );
  expect(scrub("long-secret-1 long-secret", ["long-secret", "long-secret-1", ""])).toBe("[redacted] [redacted]");
});

test("every operation has a method and a path, and a path takes its values as single segments", () => {
  for (const call of Object.values(operations)) expect(call).toMatch(/^(?:GET|POST|PUT|PATCH|DELETE) \/[a-zA-Z{}/-]+$/);
  expect(toTarget("update-env-var", { serviceId: "srv-1", envVarKey: "A/B ?" })).toEqual({
    ...{ method: "PUT", path: "/services/srv-1/env-vars/A%2FB%20%3F" },
  });
  expect(() => toTarget("retrieve-service", { serviceId: "" })).toThrow(RangeError);
});
