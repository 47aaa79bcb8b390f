import { LogInput, LogReceipt } from "@signalbox/common/contracts/log.ts";
import { invalidRequest, rateLimited } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import type { Trace } from "@signalbox/common/trace.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { momentOf, type NewLog } from "../record.ts";
import { newReportLimit, takeReport } from "../report-limit.ts";
import { type Caller, readRecords } from "./read-records.ts";
import { takeRecords } from "./take-records.ts";

/** The name under which the browser's page reports its own errors, with the password of the person who looks at it. */
const pageName = "dashboard";
const pageReportsPerMinute = 60;

export const postLog = ({ ingest, keeping, hide, onRejected }: Context) => {
  const reports = newReportLimit(pageReportsPerMinute, Date.now());
  const refuseFlood = ({ service }: NewLog) => {
    if (service !== pageName || takeReport(reports, Date.now())) return;
    throw rateLimited(`At most ${pageReportsPerMinute} records of the dashboard are taken in a minute.`, 5);
  };
  return defineRoute({
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
    untraced: true,
    replies: { 202: LogReceipt },
    async handle({ rawBody, contentType, principal, trace }) {
      if (rawBody.length === 0) throw invalidRequest("", "has no body; send a record with level, service and message");
      ingest.admit();
      const moment = momentOf(Date.now(), keeping.retentionDays);
      const reading = {
        moment,
        hide,
        caller: toCaller(trace),
        ...(principal?.kind === "person" && { admit: refuseFlood }),
      };
      const receipt = await takeRecords(ingest.submit, readRecords(rawBody, contentType, reading));
      onRejected(receipt.rejected.length);
      return { status: 202, body: receipt };
    },
  });
};

/** What the headers say of the caller; null when they say nothing, for a trace that began here is nobody's. */
function toCaller({ parentSpanId, traceId, correlationId }: Trace): Caller | null {
  const isContinued = typeof parentSpanId === "string";
  return isContinued || correlationId !== null ? { traceId: isContinued ? traceId : null, correlationId } : null;
}
