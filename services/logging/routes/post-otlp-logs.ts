import { createHash } from "node:crypto";
import { defineRoute } from "@signalbox/common/route.ts";
import { uuidFrom } from "@signalbox/common/uuid.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { type OtlpRecord, toOtlpRecords } from "../otlp.ts";
import { momentOf } from "../record.ts";
import { judgeEach, judgeRecord } from "./read-records.ts";
import { takeRecords } from "./take-records.ts";

const Export = Type.Object(
  { resourceLogs: Type.Optional(Type.Array(Type.Object({}, { additionalProperties: true }))) },
  { additionalProperties: true, description: "ExportLogsServiceRequest of OTLP, in JSON" },
);

const Exported = Type.Object(
  {
    partialSuccess: Type.Optional(
      Type.Object({ rejectedLogRecords: Type.String(), errorMessage: Type.String() }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false, description: "ExportLogsServiceResponse: empty when every record is stored" },
);

export const postOtlpLogs = ({ ingest, keeping, hide, onRejected }: Context) =>
  defineRoute({
    method: "POST",
    path: "/v1/logs",
    auth: "any",
    summary:
      "Stores log records as OpenTelemetry exporters send them (OTLP/HTTP, JSON); answers once they are committed",
    body: Export,
    bodyLimitBytes: 4_194_304,
    bodyBudgetBytes: 4_194_304,
    maxInFlight: 100,
    quiet: true,
    untraced: true,
    replies: { 200: Exported },
    async handle({ body }) {
      ingest.admit();
      const reading = { moment: momentOf(Date.now(), keeping.retentionDays), hide };
      const chunks = judgeEach(toOtlpRecords(body), {
        sizeOf: ({ content }) => content.length,
        read: (found, index) =>
          judgeRecord({ ...found.input, ...toId(found) }, { ...reading, sizeBytes: found.content.length, index }),
      });
      const { rejected } = await takeRecords(ingest.submit, chunks);
      onRejected(rejected.length);
      if (rejected.length === 0) return { status: 200, body: {} };
      const errorMessage = rejected
        .slice(0, 10)
        .map(({ index, message }) => `record ${index}: ${message}`)
        .join("; ");
      return { status: 200, body: { partialSuccess: { rejectedLogRecords: String(rejected.length), errorMessage } } };
    },
  });

function toId({ atMs, content }: OtlpRecord): { id?: string } {
  return atMs === null ? {} : { id: uuidFrom(atMs, createHash("sha256").update(content).digest()) };
}
