import { expect, test } from "vitest";
import type { TypeRow } from "./type-book.ts";
import { toTypeEntries } from "./type-book.ts";

function row(agent: string, members: Partial<TypeRow> = {}): TypeRow {
  return {
    type: "work",
    agent,
    description: `as ${agent} says`,
    payloadSchema: { title: agent },
    timeoutMs: null,
    priority: 0,
    approvalRequired: false,
    ...members,
  };
}

const live =
  (...names: string[]) =>
  (agent: string) =>
    names.includes(agent);

test("the word of a live agent counts before a higher priority that is away", () => {
  const rows = [row("away", { priority: 100, timeoutMs: 1 }), row("here", { priority: -100, timeoutMs: 2 })];
  expect(toTypeEntries(rows, live("here"))).toEqual([
    {
      type: "work",
      description: "as here says",
      payloadSchema: { title: "here" },
      timeoutMs: 2,
      approvalRequired: false,
      agents: ["here", "away"],
      live: true,
    },
  ]);
});

test("among live agents, and among those away, the higher priority counts", () => {
  const rows = [row("low"), row("high", { priority: 1 })];
  expect(toTypeEntries(rows, live("low", "high"))[0]?.agents).toEqual(["high", "low"]);
  expect(toTypeEntries(rows, live())[0]).toMatchObject({ agents: ["high", "low"], live: false });
});

test("an approval that anybody demands is demanded, even by an agent that is away", () => {
  const rows = [row("here"), row("away", { approvalRequired: true, priority: -5 })];
  expect(toTypeEntries(rows, live("here"))[0]?.approvalRequired).toBe(true);
});

test("each type is one entry", () => {
  const rows = [row("a"), row("a", { type: "other" }), row("b")];
  expect(toTypeEntries(rows, live("a")).map(({ type, agents }) => [type, agents])).toEqual([
    ["work", ["a", "b"]],
    ["other", ["a"]],
  ]);
  expect(toTypeEntries([], live())).toEqual([]);
});
