/** The HTTP side that all services share, around the least that a route can do, with and without a row in the database. */
import { buildHttp, listen } from "@signalbox/common/http.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { buildMetrics } from "@signalbox/common/metrics.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { answerCalls } from "@signalbox/testing/calls.ts";
import { Type } from "typebox";
import { openItems } from "./items.ts";

const items = await openItems();
// Written and thrown away: the work of a log line is part of the kit, the disk is not.
const { log } = buildLog({ service: "bench", level: "info", format: "json", print: () => undefined });

const Item = Type.Object({ type: Type.String({ minLength: 1 }), payload: Type.Record(Type.String(), Type.Unknown()) });
const Made = Type.Object({ id: Type.String(), type: Type.String() });

const toRoute = (path: string, make: (type: string, payload: unknown) => Promise<string>) =>
  defineRoute({
    method: "POST",
    path,
    auth: "any",
    summary: "Makes an item",
    body: Item,
    replies: { 201: Made },
    maxInFlight: null,
    async handle({ body }) {
      return { status: 201, body: { id: await make(body.type, body.payload), type: body.type } };
    },
  });

const { app } = buildHttp({
  service: "bench",
  version: "1",
  routes: [toRoute("/plain", async () => "1"), toRoute("/stored", items.store)],
  credentials: { user: "bench", pass: "bench-bench-bench", internalKeys: ["bench-internal-key"] },
  allowedOrigins: [],
  log,
  report: () => ({ service: "bench", ok: true, schemaHash: "", settings: [] }),
  metrics: buildMetrics("bench"),
});
const listening = await listen(app, { port: 0, host: "127.0.0.1" });

answerCalls({ port: () => listening.port }, async () => {
  await listening.close(100);
  await items.close();
});
