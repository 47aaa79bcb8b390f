import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { eventually } from "@signalbox/testing/eventually.ts";
import { asPerson, serveRoutes } from "@signalbox/testing/http-service.ts";
import { expect, test } from "vitest";
import { defineRoute } from "./route.ts";
import { buildSpans, noSpans, type SpanOptions, spanClock, spanIdOf } from "./spans.ts";

type Sent = {
  resourceSpans: { resource: { attributes: unknown[] }; scopeSpans: { spans: { spanId: string }[] }[] }[];
};

/** A collector that answers with the given statuses, in turn; the last one for all that follow. */
async function startCollector(...statuses: number[]) {
  const requests: { url: string | undefined; headers: NodeJS.Dict<string | string[]>; body: Sent }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    requests.push({ url: request.url, headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
    const status = statuses.length > 1 ? statuses.shift() : statuses[0];
    response.writeHead(status ?? 200).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spans: () => requests.flatMap(({ body }) => body.resourceSpans[0]?.scopeSpans[0]?.spans ?? []),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = (name: string) => ({
  traceId,
  spanId: spanIdOf(name),
  parentSpanId: null,
  name,
  kind: "internal" as const,
  startMs: 1_700_000_000_000.5,
  endMs: 1_700_000_000_001.25,
  attributes: { text: "a", whole: 3, part: 0.5, is: true },
  error: null,
});

function open(endpoint: string | undefined, more: Partial<SpanOptions> = {}) {
  const dropped: number[] = [];
  const about = { service: "test", version: "1", instance: "i", headers: undefined };
  return { dropped, spans: buildSpans({ ...about, endpoint, onDropped: (count) => dropped.push(count), ...more }) };
}

test.concurrent("spans are sent as OTLP, with the headers that the collector wants", async () => {
  await using collector = await startCollector(200);
  const { spans } = open(`${collector.url}/`, { headers: "api-key=a%20b, X-Tenant = fleet" });
  spans.record(span("one"));
  spans.record({ ...span("two"), parentSpanId: spanIdOf("one"), kind: "client", error: "answered 502" });
  await spans.close();
  const [request] = collector.requests;
  expect(request?.url).toBe("/v1/traces");
  expect(request?.headers).toMatchObject({ "api-key": "a b", "x-tenant": "fleet" });
  expect(request?.body.resourceSpans[0]?.resource.attributes).toContainEqual({
    key: "service.name",
    value: { stringValue: "test" },
  });
  const [one, two] = collector.spans();
  expect(one).toEqual({
    traceId,
    spanId: spanIdOf("one"),
    name: "one",
    kind: 1,
    startTimeUnixNano: "1700000000000500000",
    endTimeUnixNano: "1700000000001250000",
    attributes: [
      { key: "text", value: { stringValue: "a" } },
      { key: "whole", value: { intValue: "3" } },
      { key: "part", value: { doubleValue: 0.5 } },
      { key: "is", value: { boolValue: true } },
    ],
  });
  expect(two).toMatchObject({ parentSpanId: one?.spanId, kind: 3, status: { code: 2, message: "answered 502" } });
});

test.concurrent("what a busy collector refuses is sent again; what it never takes is dropped and counted", async () => {
  await using busy = await startCollector(503, 200);
  const first = open(busy.url);
  first.spans.record(span("one"));
  await eventually(() => busy.requests.length === 2);
  expect(busy.requests[1]?.body).toEqual(busy.requests[0]?.body);
  await first.spans.close();
  expect(first.dropped).toEqual([]);

  await using wrong = await startCollector(400);
  const second = open(wrong.url);
  for (let n = 0; n < 5_000; n++) second.spans.record(span(`${n}`));
  await second.spans.close();
  expect(second.dropped.reduce((sum, count) => sum + count, 0)).toBe(5_000);
});

test.concurrent("a collector that is not there holds up nothing", async () => {
  const { spans, dropped } = open("http://127.0.0.1:9");
  spans.record(span("one"));
  const from = performance.now();
  await spans.close();
  expect(performance.now() - from).toBeLessThan(20_000);
  expect(dropped).toEqual([1]);
  expect(open(undefined).spans).toBe(noSpans);
});

test.concurrent("each request is a span below its caller's, by route and without what machines ask for", async () => {
  await using collector = await startCollector(200);
  const { spans } = open(collector.url);
  const route = defineRoute({
    method: "GET",
    path: "/thing/:id",
    auth: "any",
    summary: "A thing",
    replies: {},
    handle: async () => ({ status: 200, body: {} }),
  });
  {
    await using service = await serveRoutes([route], { spans });
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    for (const path of ["/thing/secret-id", "/health", "/metrics", "/nowhere"]) {
      await fetch(service.url + path, { headers: { ...asPerson, traceparent } });
    }
  }
  await spans.close();
  expect(collector.spans()).toMatchObject([
    { traceId, parentSpanId: "00f067aa0ba902b7", name: "GET /thing/:id", kind: 2 },
    { name: "GET (none)" },
  ]);
  expect(JSON.stringify(collector.requests)).not.toContain("secret-id");
});

test("the clock of spans is the clock of the machine", () => {
  expect(Math.abs(spanClock() - Date.now())).toBeLessThan(2_000);
});
