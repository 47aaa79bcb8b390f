import { asPerson, asService, serveRoutes } from "@signalbox/testing/http-service.ts";
import { expect, test } from "vitest";
import { buildLoginLimit, clientAddress } from "./login-limit.ts";

function clock() {
  let at = 0;
  return {
    now: () => at,
    pass(ms: number) {
      at += ms;
    },
  };
}

test("different wrong credentials from one address are refused after a number, until the minute is over", () => {
  const time = clock();
  const limit = buildLoginLimit({ guesses: 3, now: time.now });
  for (const guess of ["a", "b", "c"]) {
    expect(() => limit.check("1.2.3.4")).not.toThrow();
    limit.failed("1.2.3.4", guess);
  }
  time.pass(20_000);
  expect(() => limit.check("1.2.3.4")).toThrow(
    expect.objectContaining({ status: 429, headers: { "retry-after": "40" } }),
  );
  expect(() => limit.check("5.6.7.8")).not.toThrow();
  time.pass(40_000);
  expect(() => limit.check("1.2.3.4")).not.toThrow();
});

test("one wrong credential may be repeated for ever", () => {
  const limit = buildLoginLimit({ guesses: 3 });
  for (let round = 0; round < 1_000; round++) limit.failed("1.2.3.4", "stale password");
  expect(() => limit.check("1.2.3.4")).not.toThrow();
});

test("many addresses do not grow the memory; the newest ones are remembered", () => {
  const limit = buildLoginLimit({ guesses: 1 });
  for (let index = 0; index < 5_000; index++) limit.failed(`host-${index}`, "x");
  expect(() => limit.check("host-4999")).toThrow();
  expect(() => limit.check("host-0")).not.toThrow();
});

test.each([
  ["203.0.113.9", undefined, "203.0.113.9"],
  ["203.0.113.9", "198.51.100.1", "203.0.113.9"],
  ["10.0.0.2", "198.51.100.1", "198.51.100.1"],
  ["::ffff:10.0.0.2", "6.6.6.6, 198.51.100.1", "198.51.100.1"],
  ["::1", "2001:db8::1", "2001:db8::1"],
  ["2001:db8::2", "198.51.100.1", "2001:db8::2"],
  ["127.0.0.1", "", "127.0.0.1"],
])("a request from %s that says %j comes from %s", (remoteAddress, forwarded, address) => {
  const request = { socket: { remoteAddress }, headers: { "x-forwarded-for": forwarded } };
  expect(clientAddress(request as unknown as Parameters<typeof clientAddress>[0])).toBe(address);
});

test("a guesser is stopped with 429 while services go on and other addresses log in", async () => {
  await using service = await serveRoutes([]);
  const from = (address: string, headers: Record<string, string>) =>
    service.fetch("/config/validate", { headers: { "x-forwarded-for": address, ...headers } });
  const guess = (index: number) => ({ authorization: `Basic ${Buffer.from(`person:${index}`).toString("base64")}` });
  const statuses = new Set<number>();
  for (let index = 0; index < 100; index++) statuses.add((await from("198.51.100.7", guess(index))).status);
  expect([...statuses]).toEqual([401]);
  const stopped = await from("198.51.100.7", guess(100));
  expect([stopped.status, Number(stopped.headers.get("retry-after")) > 0]).toEqual([429, true]);
  expect((await from("198.51.100.7", asPerson)).status).toBe(429);
  expect((await from("198.51.100.7", asService)).status).toBe(200);
  expect((await from("198.51.100.7", {})).status).toBe(401);
  expect((await from("198.51.100.8", asPerson)).status).toBe(200);
});
