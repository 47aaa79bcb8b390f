import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import type { Batch } from "../store/live.ts";
import { toStoredLogRow } from "../store/rows.ts";
import { hasNewsOf } from "./news.ts";

const batchOf = (log: Partial<Log> | null, task?: Partial<Task>): Batch => ({
  rows: log ? [toStoredLogRow({ id: "1", at: "2026-01-01T00:00:00.000Z", data: {}, ...log } as Log)] : [],
  events: [],
  tasks: [],
  listTasks: task ? [task as Task] : [],
  hasLoss: false,
});

test("a plain record of the service, or a task that it made, is news of it", () => {
  expect(hasNewsOf(batchOf({ service: "renderctl", level: "info", message: "run finished" }), "renderctl")).toBe(true);
  expect(hasNewsOf(batchOf(null, { source: "renderctl" }), "renderctl")).toBe(true);
  expect(hasNewsOf(batchOf({ service: "logging", level: "info", message: "run finished" }), "renderctl")).toBe(false);
});

test("what a read and its failure log is no reason to read again", () => {
  expect(
    hasNewsOf(batchOf({ service: "renderctl", level: "warn", message: "GET /render/drift 502" }), "renderctl"),
  ).toBe(false);
  expect(hasNewsOf(batchOf({ service: "renderctl", level: "error", message: "a request failed" }), "renderctl")).toBe(
    false,
  );
  expect(
    hasNewsOf(batchOf({ service: "renderctl", level: "info", message: "GET /render/drift 200" }), "renderctl"),
  ).toBe(false);
});
