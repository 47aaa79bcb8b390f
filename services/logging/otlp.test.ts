import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { basic, type Logging, startLogging } from "./logging.fixture.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const taskId = "01890a5d-ac96-774b-bcce-b302099a8057";
const nowMs = () => Date.now();
const text = (stringValue: string) => ({ stringValue });
const attribute = (key: string, value: object) => ({ key, value });

function request(logRecords: object[], resource: object[] = [attribute("service.name", text("shop"))]) {
  return {
    resourceLogs: [{ resource: { attributes: resource }, scopeLogs: [{ scope: { name: "cart" }, logRecords }] }],
  };
}

async function send(logging: Logging, body: unknown, headers: Record<string, string> = {}) {
  const bytes = body instanceof Uint8Array ? body : JSON.stringify(body);
  const answer = await fetch(`${logging.url}/v1/logs`, {
    method: "POST",
    headers: { authorization: basic, "content-type": "application/json", ...headers },
    body: bytes as BodyInit,
  });
  return { status: answer.status, body: await answer.json() };
}

test.concurrent("a record of an OpenTelemetry exporter is kept with all that it says", async () => {
  await using logging = await startLogging();
  const atMs = nowMs();
  const answer = await send(
    logging,
    request(
      [
        {
          timeUnixNano: `${atMs}123456`,
          severityNumber: 17,
          severityText: "ERROR",
          body: text("payment failed"),
          traceId: traceId.toUpperCase(),
          spanId: "00f067aa0ba902b7",
          attributes: [
            attribute("http.status", { intValue: "502" }),
            attribute("big", { intValue: "9223372036854775807" }),
            attribute("list", { arrayValue: { values: [{ boolValue: true }, { doubleValue: 1.5 }] } }),
            attribute("map", { kvlistValue: { values: [attribute("password", text("hunter2"))] } }),
            attribute("signalbox.task_id", text(taskId)),
            attribute("correlationId", text("order-7")),
          ],
        },
      ],
      [attribute("service.name", text("shop")), attribute("host.name", text("a"))],
    ),
  );
  expect(answer).toEqual({ status: 200, body: {} });
  expect(await logging.list()).toMatchObject([
    {
      at: new Date(atMs).toISOString(),
      level: "error",
      service: "shop",
      message: "payment failed",
      traceId,
      taskId,
      correlationId: "order-7",
      data: {
        "http.status": 502,
        big: "9223372036854775807",
        list: [true, 1.5],
        map: { password: "[redacted]" },
        spanId: "00f067aa0ba902b7",
        resource: { "host.name": "a" },
        scope: "cart",
      },
    },
  ]);
});

test.concurrent("the same request again stores nothing more; equal records of one request are all kept", async () => {
  await using logging = await startLogging();
  const record = { timeUnixNano: `${nowMs()}000000`, severityNumber: 9, body: text("twice") };
  const body = request([record, record]);
  for (let time = 0; time < 3; time++) expect((await send(logging, body)).status).toBe(200);
  expect(await logging.list()).toHaveLength(2);
});

test.concurrent.each([
  [1, "", "trace"],
  [4, "", "trace"],
  [5, "", "debug"],
  [12, "", "info"],
  [13, "", "warn"],
  [24, "", "fatal"],
  [0, "WARNING", "warn"],
  [0, "Error2", "error"],
  [25, "nonsense", "info"],
  [undefined, undefined, "info"],
])("severity %s %s is %s", async (severityNumber, severityText, level) => {
  await using logging = await startLogging();
  await send(logging, request([{ severityNumber, severityText, body: text("x") }]));
  expect((await logging.list()).map((log) => log.level)).toEqual([level]);
});

test.concurrent("what cannot be stored is counted, the rest is stored; odd shapes are read as far as they go", async () => {
  await using logging = await startLogging();
  const answer = await send(
    logging,
    request(
      [
        { timeUnixNano: "1000000000000000000", body: text("of 2001") },
        {
          body: { kvlistValue: { values: [attribute("a", { intValue: 1 })] } },
          traceId: "zz",
          spanId: 7,
          attributes: {},
        },
        { attributes: [attribute("task_id", text("no uuid"))], body: text("bad id") },
        { eventName: "cart.emptied", traceId: "0".repeat(32) },
      ],
      [],
    ),
  );
  expect(answer.status).toBe(200);
  expect(answer.body.partialSuccess.rejectedLogRecords).toBe("2");
  expect(answer.body.partialSuccess.errorMessage).toMatch(/record 0: .*older.*; record 2: \/taskId/);
  expect((await logging.list()).map((log) => [log.service, log.message, log.traceId]).sort()).toEqual([
    ["unknown", "cart.emptied", null],
    ["unknown", '{"a":1}', null],
  ]);
});

test.concurrent("gzip is read; protobuf is a 415, no password a 401, nonsense a 400", async () => {
  await using logging = await startLogging();
  const packed = new Uint8Array(gzipSync(JSON.stringify(request([{ body: text("packed") }]))));
  expect((await send(logging, packed, { "content-encoding": "gzip" })).status).toBe(200);
  expect((await logging.list()).map(({ message }) => message)).toEqual(["packed"]);
  expect((await send(logging, {}, { "content-type": "application/x-protobuf" })).status).toBe(415);
  expect((await send(logging, {}, { authorization: "Basic eDp5" })).status).toBe(401);
  expect((await send(logging, { resourceLogs: 1 })).status).toBe(400);
  expect(await send(logging, {})).toEqual({ status: 200, body: {} });
});
