import { allowedOrigin, asPerson, asService, serveRoutes, type TestService } from "@signalbox/testing/http-service.ts";
import supertest from "supertest";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { isAllowedOrigin } from "./cors.ts";
import { defineRoute } from "./route.ts";

const note = defineRoute({
  method: "POST",
  path: "/note",
  auth: "any",
  summary: "a",
  body: Type.Object({ text: Type.Optional(Type.String()) }, { additionalProperties: false }),
  replies: { 204: Type.Unknown() },
  async handle() {
    return { status: 204 };
  },
});

function postFrom(service: TestService, origin: string | null, headers: Record<string, string>) {
  return service.fetch("/note", { method: "POST", headers: { ...headers, ...(origin !== null && { origin }) } });
}

test("a preflight needs no credentials and allows what the contract lists", async () => {
  await using service = await serveRoutes([note]);
  await supertest(service.url)
    .options("/note")
    .set({ origin: allowedOrigin, "access-control-request-method": "POST" })
    .expect(204)
    .expect("access-control-allow-origin", allowedOrigin)
    .expect("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")
    .expect(
      "access-control-allow-headers",
      "Authorization, Content-Type, If-Match, Idempotency-Key, Prefer, traceparent, X-Correlation-Id",
    )
    .expect("vary", "Origin");
});

test("an answer exposes what a page must read", async () => {
  await using service = await serveRoutes([]);
  await supertest(service.url)
    .get("/nothing")
    .set("origin", allowedOrigin)
    .expect("access-control-expose-headers", "ETag, Location, Retry-After, Idempotent-Replayed");
});

test.each([
  "https://evil.example",
  `${allowedOrigin}.evil.example`,
  allowedOrigin.replace("https", "http"),
  `${allowedOrigin}:8443`,
  "null",
  "*",
])("the origin %s is allowed nothing", async (origin) => {
  await using service = await serveRoutes([note]);
  for (const method of ["OPTIONS", "GET"]) {
    const response = await service.fetch(method === "GET" ? "/health" : "/note", { method, headers: { origin } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("vary")).toBe("Origin");
  }
});

test.each(["null", "*"])("%s is never allowed, even if somebody lists it", (origin) => {
  expect(isAllowedOrigin(origin, [origin])).toBe(false);
});

test("a foreign page cannot use the browser's stored password for a POST that needs no preflight", async () => {
  await using service = await serveRoutes([note]);
  const json = { ...asPerson, "content-type": "application/json" };
  expect((await postFrom(service, "https://evil.example", asPerson)).status).toBe(403);
  expect((await postFrom(service, "null", asPerson)).status).toBe(403);
  expect((await postFrom(service, allowedOrigin, asPerson)).status).toBe(204);
  expect((await postFrom(service, null, asPerson)).status).toBe(204);
  expect((await postFrom(service, "https://evil.example", json)).status).toBe(204);
  expect((await postFrom(service, "https://evil.example", asService)).status).toBe(204);
});

test("a content type that needs no preflight does not help, where no body is read either", async () => {
  const run = { ...note, path: "/run", body: undefined };
  await using service = await serveRoutes([run]);
  const headers = { ...asPerson, origin: "https://evil.example", "content-type": "text/plain" };
  expect((await service.fetch("/run", { method: "POST", headers, body: "x" })).status).toBe(403);
});

test("a form or plain text is 415 where JSON is read", async () => {
  await using service = await serveRoutes([note]);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
    const response = await service.fetch("/note", {
      method: "POST",
      headers: { ...asPerson, "content-type": type },
      body: '{"text":"x"}',
    });
    expect(response.status).toBe(415);
  }
});
