import { defineRoute } from "@signalbox/common/route.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { serveRoutes } from "@signalbox/testing/http-service.ts";
import { standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { startTestAgent } from "@signalbox/testing/test-agent.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { buildTypes } from "./app.ts";
import { buildLogging } from "./clients/logging.ts";
import { addPage, emptyTally, percentOf } from "./tally.ts";

const since = "2026-03-02T00:00:00Z";
const until = "2026-03-02T10:00:00Z";
const taskId = "01890a5d-ac96-774b-bcce-b302099a8057";

/** A logging service with one record an hour, two to a page. */
async function startLogs() {
  const hours = Array.from({ length: 10 }, (_, index) => 9 - index);
  const service = await serveRoutes([
    defineRoute({
      ...{ method: "GET", path: "/logs", auth: "internal", summary: "logs", replies: { 200: Type.Unknown() } },
      query: Type.Object(
        Object.fromEntries(["since", "until", "limit", "cursor"].map((key) => [key, Type.Optional(Type.String())])),
      ),
      async handle({ query }) {
        const from = Number((query as { cursor?: string }).cursor ?? 0);
        const items = hours
          .slice(from, from + 2)
          .map((hour) => ({ service: hour % 2 === 0 ? "a" : "b", level: "info", at: `2026-03-02T0${hour}:00:00Z` }));
        return { status: 200, body: { items, nextCursor: from + 2 < hours.length ? String(from + 2) : null } };
      },
    }),
  ]);
  return { url: service.url, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

async function endOf(url: string, maxRecords: number, payload = { since, until }) {
  await using orchestrator = await standInOrchestrator();
  const logging = buildLogging({ url, internalKey: "key-of-now" });
  await using agent = await startTestAgent(orchestrator, buildTypes({ logging, maxRecords }));
  const run = { path: "/run/log-report", type: "log.report", payload, taskId };
  expect((await orchestrator.run(agent.url, run)).status).toBe(202);
  await eventually(() => orchestrator.calls.some(({ call }) => call === "end"));
  await logging.close();
  const ofKind = (kind: string) => orchestrator.calls.filter(({ call }) => call === kind).map(({ body }) => body);
  return { end: ofKind("end")[0], progress: ofKind("progress") as { percent: number }[] };
}

test("it answers at once, reads page by page, tells how far it is, and ends with the counts", async () => {
  await using logs = await startLogs();
  const { end, progress } = await endOf(logs.url, 1_000);
  expect(end).toMatchObject({
    status: "completed",
    result: { records: 10, byService: { a: { info: 5 }, b: { info: 5 } }, isWhole: true },
  });
  expect(progress.map(({ percent }) => percent)).toEqual([20, 40, 60, 80, 99]);
});

test("it reads no more than it may, and says that there was more", async () => {
  await using logs = await startLogs();
  expect((await endOf(logs.url, 3)).end).toMatchObject({ result: { records: 4, isWhole: false } });
});

test("an empty range fails for good; logging that is away is worth another try", async () => {
  await using logs = await startLogs();
  const turned = await endOf(logs.url, 10, { since: until, until: since });
  expect(turned.end).toMatchObject({ status: "failed", error: { code: "empty_range", retryable: false } });
  const away = await endOf("http://127.0.0.1:9", 10);
  expect(away.end).toMatchObject({ status: "failed", error: { code: "logging_away", retryable: true } });
});

test("counts add up, whatever a service is called", () => {
  const page = [{ service: "__proto__", level: "error" as const }];
  expect(addPage(addPage(emptyTally, page), page).byService).toEqual(JSON.parse('{"__proto__":{"error":2}}'));
});

test("progress goes from nothing to almost all", () => {
  const range = { since: 0, until: 100 };
  expect([100, 50, 0, -5, 200].map((oldest) => percentOf(range, oldest))).toEqual([0, 50, 99, 99, 0]);
});
