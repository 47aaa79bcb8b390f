import { expect, test } from "vitest";
import { actorOf, authorize, isSame } from "./auth.ts";

const credentials = { user: "person", pass: "pass:wörd", internalKeys: ["key-of-now", "key-of-before"] };
const person = { kind: "person", name: "person" };

function basic(user: string, pass: string, scheme = "Basic") {
  return { authorization: `${scheme} ${encode(user, pass)}` };
}

function encode(user: string, pass: string): string {
  return Buffer.from(`${user}:${pass}`, "utf8").toString("base64");
}

test("a password may hold colons and anything that UTF-8 can write", () => {
  expect(authorize(basic("person", "pass:wörd"), credentials)).toEqual(person);
});

test.each(["basic", "BASIC", "bAsIc"])("the scheme may be written %s", (scheme) => {
  expect(authorize(basic("person", "pass:wörd", scheme), credentials)).toEqual(person);
});

test.each([
  ["a wrong password", basic("person", "pass:word")],
  ["a wrong user", basic("people", "pass:wörd")],
  ["an empty password", basic("person", "")],
  ["no colon", { authorization: `Basic ${Buffer.from("person").toString("base64")}` }],
  ["no base64", { authorization: "Basic ***" }],
  ["another scheme", basic("person", "pass:wörd", "Bearer")],
  ["a password with more after it", basic("person", "pass:wörd ")],
  ["a header of endless length", { authorization: `Basic ${"A".repeat(10_000)}` }],
  ["nothing", {}],
])("%s opens nothing", (_what, headers) => {
  expect(authorize(headers, credentials)).toBeNull();
});

test("the key before still opens while keys are rotated", () => {
  expect(authorize({ "x-internal-key": "key-of-before" }, credentials)).toEqual({ kind: "internal" });
});

test.each(["", "key-of", "key-of-now ", "KEY-OF-NOW"])("the key %j opens nothing", (key) => {
  expect(authorize({ "x-internal-key": key }, credentials)).toBeNull();
});

test("an empty list of keys opens to no key, not even to an empty one", () => {
  expect(authorize({ "x-internal-key": "" }, { ...credentials, internalKeys: [] })).toBeNull();
});

test("the internal key wins when both are sent", () => {
  const headers = { ...basic("person", "pass:wörd"), "x-internal-key": "key-of-now" };
  expect(authorize(headers, credentials)).toEqual({ kind: "internal" });
});

test("?auth= is read only where it is handed in", () => {
  expect(authorize({}, credentials, encode("person", "pass:wörd"))).toEqual(person);
  expect(authorize({}, credentials, encode("person", "wrong"))).toBeNull();
  expect(authorize({}, credentials)).toBeNull();
});

test("texts of unequal length are compared without an error", () => {
  expect(isSame("a", "a much longer text")).toBe(false);
  expect(isSame("", "")).toBe(true);
});

test("comparing takes as long for a near miss as for a far one", () => {
  const secret = "s".repeat(64);
  const near = `${"s".repeat(63)}x`;
  // Interleaved, so that the machine's moods meet both alike; the medians then differ by noise only.
  const times = { near: [] as number[], far: [] as number[] };
  for (let round = 0; round < 10_000; round++) {
    times.near.push(timed(() => isSame(near, secret)));
    times.far.push(timed(() => isSame("x", secret)));
  }
  const ratio = median(times.near) / median(times.far);
  expect(ratio).toBeGreaterThan(0.5);
  expect(ratio).toBeLessThan(2);
});

function timed(run: () => unknown): number {
  const startedAt = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - startedAt);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

test("the audit tells people from services", () => {
  expect(actorOf({ kind: "person", name: "ada" })).toBe("person:ada");
  expect(actorOf({ kind: "internal" })).toBe("service:internal");
});

test("a service names the person for whom it acts, and only with its key", () => {
  const headers = { "x-internal-key": "key-of-now", "x-on-behalf-of": "telegram:77" };
  const principal = authorize(headers, credentials);
  expect(principal).toEqual({ kind: "internal", onBehalfOf: "telegram:77" });
  expect(principal && actorOf(principal)).toBe("telegram:77");
  expect(authorize({ ...basic("person", "pass:wörd"), "x-on-behalf-of": "x" }, credentials)).toEqual({
    kind: "person",
    name: "person",
  });
  expect(authorize({ "x-on-behalf-of": "telegram:77" }, credentials)).toBeNull();
});

test.each(["", " ", "agent:echo", "Service:internal", "a\nb", "x".repeat(201)])("%j is no person", (user) => {
  const headers = { "x-internal-key": "key-of-now", "x-on-behalf-of": user };
  expect(() => authorize(headers, credentials)).toThrow(/X-On-Behalf-Of/);
});
