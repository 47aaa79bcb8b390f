import { logLevels } from "@signalbox/common/contracts/log.ts";
import { CreateTask, taskStatuses } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import { knownServices } from "../net/config.ts";
import { optionsSchema } from "./task-options.ts";
import { formatCount, levels, statuses } from "./words.ts";

test("the page's words are the contract's", () => {
  expect(statuses).toEqual(taskStatuses);
  expect(levels).toEqual(logLevels);
  expect(knownServices).toContain("orchestrator");
});

test("the form of a new task offers every member that a request may have", () => {
  const offered = Object.keys(optionsSchema.properties as object);
  const members = Object.keys(CreateTask.properties).filter((name) => !["type", "payload", "traceId"].includes(name));
  expect(offered.sort()).toEqual(members.sort());
});

test("counts are grouped by thousands", () => {
  expect([0, 999, 1_284, 1_234_567].map(formatCount)).toEqual(["0", "999", "1,284", "1,234,567"]);
});
