import { expect, test } from "vitest";
import { type ErrorCode, errorStatuses } from "./contracts/errors.ts";
import { ApiError, invalidInput, isTransient, notFound, toApiError } from "./errors.ts";

test.each(Object.entries(errorStatuses))("%s always comes with %i", (code, status) => {
  expect(new ApiError(code as ErrorCode, "m").status).toBe(status);
});

test("what nobody expected tells the caller nothing", () => {
  const error = toApiError(new Error("password is hunter2 at /srv/app.ts:12"));
  expect(error.status).toBe(500);
  expect(error.message).not.toContain("hunter2");
  expect(error.details).toBeUndefined();
  expect(error.cause).toBeInstanceOf(Error);
});

test.each([
  ["a refused connection", Object.assign(new Error("x"), { code: "ECONNREFUSED" })],
  ["a database that is shutting down", Object.assign(new Error("x"), { code: "57P01" })],
  ["a lost database connection", Object.assign(new Error("x"), { code: "08006" })],
  ["a drained pool", new Error("timeout exceeded when trying to connect")],
  ["a cut connection", new Error("Connection terminated unexpectedly")],
  ["a database that never answers", new Error("Query read timeout")],
  ["a client that was closed under a waiting statement", new Error("Client was closed and is not queryable")],
  ["a full lock table", Object.assign(new Error("x"), { code: "53200" })],
  ["a standby that cannot write", Object.assign(new Error("x"), { code: "25006" })],
  ["both addresses of a host refused", new AggregateError([Object.assign(new Error("x"), { code: "ECONNREFUSED" })])],
])("%s is 503 and says when to come back", (_what, error) => {
  expect(toApiError(error)).toMatchObject({ status: 503, code: "unavailable", headers: { "retry-after": "1" } });
});

test.each([
  ["a broken constraint", Object.assign(new Error("x"), { code: "23505" })],
  ["something that is no error", "ECONNREFUSED"],
  ["nothing", undefined],
])("%s is not taken for an outage", (_what, error) => {
  expect(isTransient(error)).toBe(false);
});

test("at most 20 details are sent, and the message says how many there were", () => {
  const error = invalidInput(Array.from({ length: 500 }, (_, index) => ({ path: `/${index}`, message: "is bad" })));
  expect(error.details).toHaveLength(20);
  expect(error.message).toBe("/0 is bad (and 499 more, see details)");
});

test("an endless id is cut in the message", () => {
  expect(notFound("task", "x".repeat(10_000)).message.length).toBeLessThan(250);
});
