import { expect, test } from "vitest";
import {
  currentTrace,
  fromHeaderText,
  newTrace,
  parseTraceparent,
  toHeaderText,
  toTraceparent,
  traceHeaders,
  withTrace,
} from "./trace.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

test("a traceparent is read as W3C writes it", () => {
  expect(parseTraceparent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId });
  expect(parseTraceparent(`01-${traceId}-${spanId}-01-what-comes-later`)).toEqual({ traceId, spanId });
});

test.each([
  ["all zero", `00-${"0".repeat(32)}-${spanId}-01`],
  ["a zero span", `00-${traceId}-${"0".repeat(16)}-01`],
  ["upper case", `00-${traceId.toUpperCase()}-${spanId}-01`],
  ["version ff", `ff-${traceId}-${spanId}-01`],
  ["more after version 00", `00-${traceId}-${spanId}-01-x`],
  ["too short", `00-${traceId.slice(1)}-${spanId}-01`],
  ["nothing", undefined],
])("%s is no traceparent", (_what, value) => {
  expect(parseTraceparent(value)).toBeNull();
});

test("a new trace is one that others accept", () => {
  const trace = newTrace();
  expect(parseTraceparent(toTraceparent(trace))).toEqual({ traceId: trace.traceId, spanId: trace.spanId });
});

test("the trace is there after an await, and only inside", async () => {
  const trace = newTrace();
  await withTrace(trace, async () => {
    await Promise.resolve();
    expect(currentTrace()).toBe(trace);
  });
  expect(currentTrace()).toBeNull();
});

test("a correlation id of any letters survives the way through a header", () => {
  const header = toHeaderText("bestellung-ü-€-😀");
  expect(header).toMatch(/^[\x20-\xff]+$/);
  expect(fromHeaderText(header ?? "")).toBe("bestellung-ü-€-😀");
});

test("latin1 bytes that are not UTF-8 are taken as they came", () => {
  expect(fromHeaderText("caf\xe9")).toBe("caf\xe9");
});

test.each(["two\nlines", "", " padded "])("%j does not travel in a header, and nothing breaks", (correlationId) => {
  expect(traceHeaders({ ...newTrace(), correlationId })).not.toHaveProperty("x-correlation-id");
});
