import { LogInput, LogReceipt } from "@signalbox/common/contracts/log.ts";
import { invalidRequest } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { momentOf } from "../record.ts";
import { readRecords } from "./read-records.ts";
import { takeRecords } from "./take-records.ts";

export const postLog = ({ ingest, retentionDays, hide, onRejected }: Context) =>
  defineRoute({
    method: "POST",
    path: "/log",
    auth: "any",
    summary: "Stores one record, an array, or lines of JSON; answers once they are committed",
    body: Type.Union([LogInput, Type.Array(LogInput)]),
    bodyTypes: ["application/json", "application/x-ndjson"],
    bodyLimitBytes: 16_777_216,
    bodyUnparsed: true,
    // What is stored meanwhile keeps two statements busy; more would only wait, and as records it weighs several times as much.
    bodyBudgetBytes: 4_194_304,
    maxInFlight: 400,
    quiet: true,
    replies: { 202: LogReceipt },
    async handle({ rawBody, contentType }) {
      if (rawBody.length === 0) throw invalidRequest("", "has no body; send a record with level, service and message");
      ingest.admit();
      const reading = { moment: momentOf(Date.now(), retentionDays), hide };
      const receipt = await takeRecords(ingest, readRecords(rawBody, contentType, reading));
      onRejected(receipt.rejected.length);
      return { status: 202, body: receipt };
    },
  });
