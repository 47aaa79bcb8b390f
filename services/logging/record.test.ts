import { expect, test } from "vitest";
import { dayMs, judgeInput, momentOf } from "./record.ts";

const nowMs = Date.parse("2026-06-15T12:00:00.000Z");
const moment = momentOf(nowMs, 30);
/** Ids that say their time in plain digits. */
const tools = {
  drawId: (atMs = nowMs) => `v7-${atMs}`,
  timeOf: (id: string) => (id.startsWith("v7-") ? Number(id.slice(3)) : null),
  hide: (value: unknown) => value,
};
const base = { level: "info", service: "t", message: "x" } as const;

function place(more: object) {
  const verdict = judgeInput({ ...base, ...more }, moment, tools);
  if (verdict.kind === "bad") return `${verdict.path} ${verdict.message}`;
  const { id, atMs, isAnywhere } = verdict.record;
  return { id, at: new Date(atMs).toISOString(), isAnywhere };
}

const now = "2026-06-15T12:00:00.000Z";
const earlier = "2026-06-14T12:00:00.000Z";
const earlierMs = Date.parse(earlier);

test.concurrent.each([
  ["neither id nor time: both are of now", {}, { id: `v7-${nowMs}`, at: now, isAnywhere: false }],
  ["a time: the id is made of it", { at: earlier }, { id: `v7-${earlierMs}`, at: earlier, isAnywhere: false }],
  [
    "an id of that time",
    { id: `v7-${earlierMs}`, at: earlier },
    { id: `v7-${earlierMs}`, at: earlier, isAnywhere: false },
  ],
  [
    "the same time, written otherwise",
    { id: `v7-${earlierMs}`, at: "2026-06-14T14:00:00+02:00" },
    { id: `v7-${earlierMs}`, at: earlier, isAnywhere: false },
  ],
  [
    "an id alone: the time is the id's",
    { id: `v7-${earlierMs}` },
    { id: `v7-${earlierMs}`, at: earlier, isAnywhere: true },
  ],
  ["an id of another time", { id: `v7-${nowMs}`, at: earlier }, { id: `v7-${nowMs}`, at: earlier, isAnywhere: true }],
  ["an id without a time in it", { id: "v4" }, { id: "v4", at: now, isAnywhere: true }],
  ["such an id and a time", { id: "v4", at: earlier }, { id: "v4", at: earlier, isAnywhere: true }],
  ["an id of a senseless time", { id: "v7-5" }, { id: "v7-5", at: now, isAnywhere: true }],
  [
    "the oldest time that is kept",
    { at: new Date(nowMs - 30 * dayMs).toISOString() },
    { id: `v7-${nowMs - 30 * dayMs}`, at: "2026-05-16T12:00:00.000Z", isAnywhere: false },
  ],
  ["a ms older", { at: new Date(nowMs - 30 * dayMs - 1).toISOString() }, "/at is older than records are kept"],
  ["a ms more than a day ahead", { at: new Date(nowMs + dayMs + 1).toISOString() }, "/at is more than 24 hours ahead"],
])("%s", (_title, more, expected) => {
  expect(place(more)).toEqual(expected);
});

test.concurrent("microseconds are cut, as the table would", () => {
  expect(place({ at: "2026-06-15T11:59:59.999999Z" })).toMatchObject({ at: "2026-06-15T11:59:59.999Z" });
});
