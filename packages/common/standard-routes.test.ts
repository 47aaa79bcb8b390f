import { eventually } from "@signalbox/testing/eventually.ts";
import { asPerson, asService, serveRoutes } from "@signalbox/testing/http-service.ts";
import { sendAround } from "@signalbox/testing/raw-http.ts";
import { expect, test } from "vitest";
import type { ReadyCheck } from "./standard-routes.ts";

test.each(["/health", "/healthz"])("%s tells a stranger that the process serves", async (path) => {
  await using service = await serveRoutes([]);
  const response = await service.fetch(path);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    status: "ok",
    service: "test",
    version: "1.2.3",
    uptimeSeconds: expect.any(Number),
  });
});

test.each([
  ["optional", { isHealthy: () => false }],
  ["hard", { checks: async () => [{ name: "database", ok: false }] }],
])("health stays 200 while something %s is away, and says degraded", async (_what, options) => {
  await using service = await serveRoutes([], options);
  const response = await service.fetch("/health?probe=7");
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ status: "degraded" });
});

test("health waits for no check that hangs, and says what it found when it has ended", async () => {
  const hanging = Promise.withResolvers<ReadyCheck[]>();
  await using service = await serveRoutes([], { checks: () => hanging.promise });
  const read = async () => (await (await service.fetch("/health")).json()) as { status: string };
  expect(await read()).toMatchObject({ status: "ok" });
  hanging.resolve([{ name: "database", ok: false }]);
  await eventually(async () => (await read()).status === "degraded", { what: "the end of the check" });
});

test("ready names the dependency that is away", async () => {
  const checks = async () => [
    { name: "database", ok: false, message: "connection refused" },
    { name: "disk", ok: true },
  ];
  await using service = await serveRoutes([], { checks });
  const response = await service.fetch("/ready");
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ ready: false, checks: await checks() });
});

test("a check that throws reads as not ready and tells no details", async () => {
  await using service = await serveRoutes([], {
    checks: async () => {
      throw new Error("postgres://user:hunter2@db");
    },
  });
  const response = await service.fetch("/ready");
  expect(response.status).toBe(503);
  expect(await response.text()).not.toContain("hunter2");
});

test("many who ask at once share one check", async () => {
  let count = 0;
  await using service = await serveRoutes([], {
    checks: async () => {
      count++;
      return [];
    },
  });
  await Promise.all(Array.from({ length: 20 }, () => service.fetch("/ready")));
  expect(count).toBeLessThan(5);
});

test("a stopping service is not ready, and its answers end their connections", async () => {
  await using service = await serveRoutes([]);
  const { server } = service.listening;
  // Much longer than the test may take: the connection must end because of the answer.
  const answer = await sendAround(server, "/ready", () => void service.listening.close(60_000));
  expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  expect(answer).toMatch(/\r\nconnection: close\r\n/);
  expect(answer).toContain("the service is stopping");
});

test.each(["/config/validate", "/metrics"])("%s wants a credential", async (path) => {
  await using service = await serveRoutes([]);
  const statuses = [];
  for (const headers of [{}, asPerson, asService]) statuses.push((await service.fetch(path, { headers })).status);
  expect(statuses).toEqual([401, 200, 200]);
});

test("metrics count requests by route and status, and carry the process's own", async () => {
  await using service = await serveRoutes([]);
  await service.fetch("/health");
  await service.fetch("/some/path/with/an/id");
  const response = await service.fetch("/metrics", { headers: asService });
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  expect(text).toMatch(
    /http_request_duration_seconds_count\{service="test",method="GET",route="\/health",status="200"\} 1/,
  );
  expect(text).toMatch(/route="\(none\)",status="404"/);
  expect(text).not.toContain("/some/path");
  expect(text).toContain("process_resident_memory_bytes");
});
