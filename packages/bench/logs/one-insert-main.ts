import { LogInput, logLevels } from "@signalbox/common/contracts/log.ts";
import { buildHttp, listen } from "@signalbox/common/http.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { buildMetrics } from "@signalbox/common/metrics.ts";
import { redact } from "@signalbox/common/redact.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { buildPool, exec, prepared, sql } from "@signalbox/common/sql.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { Type } from "typebox";

/*
 * What the logging service is measured against: the same HTTP side, the same check, the same hiding of secrets, the same row, and
 * one insert for each request.
 */

const { PORT = "0", DATABASE_URL = "", INTERNAL_KEY = "" } = process.env;
const pool = buildPool({ url: DATABASE_URL, name: "signalbox bench one insert", max: 10, onError: () => undefined });

const route = defineRoute({
  method: "POST",
  path: "/log",
  auth: "any",
  summary: "Stores one record with one insert",
  body: LogInput,
  quiet: true,
  replies: { 202: Type.Object({ accepted: Type.Integer() }) },
  async handle({ body }) {
    const { id = uuidv7(), at = new Date().toISOString(), level, service, message, data, ...names } = body;
    const statement = sql`
      insert into logs (id, at, level, service, message, trace_id, correlation_id, task_id, data)
      values (${id}, ${at}, ${logLevels.indexOf(level)}, ${service}, ${redact(message)}, ${names.traceId ?? null},
              ${names.correlationId ?? null}, ${names.taskId ?? null}, ${JSON.stringify(redact(data ?? {}))})
      on conflict do nothing`;
    await exec(pool, prepared("bench_one_insert", statement));
    return { status: 202, body: { accepted: 1 } };
  },
});

const { app } = buildHttp({
  service: "one-insert",
  version: "0",
  routes: [route],
  credentials: { user: "bench", pass: "not-used-here", internalKeys: [INTERNAL_KEY] },
  allowedOrigins: [],
  log: buildLog({ service: "one-insert", level: "info", format: "json" }).log,
  report: () => ({ service: "one-insert", ok: true, schemaHash: "", settings: [] }),
  metrics: buildMetrics("one-insert"),
});
await listen(app, { port: Number(PORT), host: "127.0.0.1" });
