import { eventually } from "@signalbox/testing/eventually.ts";
import { serveRoutes } from "@signalbox/testing/http-service.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { defineRoute } from "./route.ts";

/** A route that ends when the test says so. */
function heldRoute() {
  const held: (() => void)[] = [];
  const route = defineRoute({
    method: "POST",
    path: "/in",
    auth: "any",
    summary: "in",
    body: Type.Unknown(),
    bodyUnparsed: true,
    bodyBudgetBytes: 1_000,
    bodyLimitBytes: 5_000,
    replies: { 200: Type.Unknown() },
    async handle({ rawBody }) {
      await new Promise<void>((resolve) => held.push(resolve));
      return { status: 200, body: { bytes: rawBody.length } };
    },
  });
  const release = () => {
    for (const resolve of held.splice(0)) resolve();
  };
  return { route, held, release };
}

const ofBytes = (bytes: number) => JSON.stringify("x".repeat(bytes - 2));

test.concurrent("bodies beyond the budget are refused with a time to come again, and taken when there is room", async () => {
  const { route, held, release } = heldRoute();
  await using service = await serveRoutes([route]);
  const first = service.post("/in", ofBytes(600));
  await eventually(() => held.length === 1);
  const small = service.post("/in", ofBytes(300));
  await eventually(() => held.length === 2);
  const refused = await service.post("/in", ofBytes(200));
  expect(refused.status).toBe(429);
  expect(refused.headers.get("retry-after")).toBe("1");
  release();
  expect([(await first).status, (await small).status]).toEqual([200, 200]);

  const again = service.post("/in", ofBytes(900));
  await eventually(() => held.length === 1);
  release();
  expect(await (await again).json()).toEqual({ bytes: 900 });
});

test.concurrent("one that is larger than the budget is let in alone, and nothing beside it", async () => {
  const { route, held, release } = heldRoute();
  await using service = await serveRoutes([route]);
  const large = service.post("/in", ofBytes(4_000));
  await eventually(() => held.length === 1);
  expect((await service.post("/in", ofBytes(10))).status).toBe(429);
  release();
  expect((await large).status).toBe(200);
});

test.concurrent("a refused body gives its room back, and one of unknown length counts as the largest", async () => {
  const { route, held, release } = heldRoute();
  await using service = await serveRoutes([route]);
  expect((await service.post("/in", ofBytes(6_000))).status).toBe(413);
  const small = service.post("/in", ofBytes(10));
  await eventually(() => held.length === 1);
  const body = new Blob([ofBytes(10)]).stream();
  const headers = { "content-type": "application/json", "x-internal-key": "key-of-now" };
  const chunked = await service.fetch("/in", { method: "POST", headers, body, duplex: "half" } as RequestInit);
  expect(chunked.status).toBe(429);
  release();
  expect((await small).status).toBe(200);
});
