import { LogInput, LogReceipt } from "@signalbox/common/contracts/log.ts";
import { invalidRequest } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { momentOf } from "../record.ts";
import { readRecords } from "./read-records.ts";

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
    bodyBudgetBytes: 16_777_216,
    maxInFlight: 400,
    quiet: true,
    replies: { 202: LogReceipt },
    async handle({ rawBody, contentType }) {
      if (rawBody.length === 0) throw invalidRequest("", "has no body; send a record with level, service and message");
      const { count, good, bad } = await readRecords(rawBody, contentType, {
        moment: momentOf(Date.now(), retentionDays),
        hide,
      });
      const outcomes = await ingest.submit(good.map(({ record }) => record));
      const refused = outcomes.flatMap((message, at) =>
        message === null ? [] : [{ index: good[at]?.index ?? 0, message }],
      );
      const rejected = [...bad, ...refused].sort((a, b) => a.index - b.index);
      onRejected(rejected.length);
      return { status: 202, body: { accepted: count - rejected.length, rejected } };
    },
  });
