import { expect, test } from "vitest";
import { judgeOutcome, judgePermission, type PastRepair } from "./repair-judge.ts";

const now = new Date("2026-05-08T12:00:00Z");
const ago = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
const past = (about: Partial<PastRepair> & { minutes?: number } = {}): PastRepair => ({
  serviceId: "srv-a",
  commitId: "c0",
  cause: "publish_path_missing",
  fixAfter: { publishPath: "old" },
  state: "fixed",
  createdAt: ago(about.minutes ?? 60),
  ...about,
});
const wanted = { serviceId: "srv-a", commitId: "c1", fix: { publishPath: "dist" } };
const many = (count: number, about: Parameters<typeof past>[0] = {}) =>
  Array.from({ length: count }, () => past(about));

test.each([
  ["nothing before", [], { kind: "repair", attempt: 1 }],
  ["another remedy on this commit", [past({ commitId: "c1" })], { kind: "repair", attempt: 2 }],
  ["the same remedy on another commit", [past({ fixAfter: { publishPath: "dist" } })], { kind: "repair", attempt: 1 }],
  ["the same remedy on this commit", [past({ commitId: "c1", fixAfter: { publishPath: "dist" } })], { kind: "report" }],
  [
    "two remedies on this commit",
    [past({ commitId: "c1" }), past({ commitId: "c1", fixAfter: { rootDir: "x" } })],
    { kind: "report" },
  ],
  ["one ten minutes ago", [past({ minutes: 10 })], { kind: "wait" }],
  [
    "one of another service ten minutes ago",
    [past({ minutes: 10, serviceId: "srv-b" })],
    { kind: "repair", attempt: 1 },
  ],
  ["four today", many(4), { kind: "report" }],
  ["four yesterday", many(4, { minutes: 1_500 }), { kind: "repair", attempt: 1 }],
  ["ten of others today", many(10, { serviceId: "srv-b" }), { kind: "report" }],
  [
    "ten that only told a person",
    many(10, { serviceId: "srv-b", state: "reported", fixAfter: null }),
    { kind: "repair", attempt: 1 },
  ],
])("%s", (_name, before, expected) => {
  expect(judgePermission(wanted, before, now)).toMatchObject(expected);
});

test("without a fix a person is told", () => {
  expect(judgePermission({ ...wanted, fix: null }, [], now)).toMatchObject({ kind: "report" });
});

test.each([
  ["live", "none", "fixed"],
  ["deactivated", "none", "fixed"],
  ["build_failed", "publish_path_missing", "revert"],
  ["build_failed", "compile_error", "keep"],
  ["canceled", "none", "keep"],
] as const)("after a fix: %s %s is %s", (status, cause, kind) => {
  expect(judgeOutcome("publish_path_missing", { status, cause })).toEqual({ kind });
});
