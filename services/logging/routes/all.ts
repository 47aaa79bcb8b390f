import type { Route } from "@signalbox/common/route.ts";
import type { Context } from "../context.ts";
import { listOutcomes, listSignatures, postOutcome } from "./outcomes.ts";
import { postLog } from "./post-log.ts";
import { postOtlpLogs } from "./post-otlp-logs.ts";
import { getLog, getLogStats, listLogs } from "./read-logs.ts";
import { streamLogs } from "./stream-logs.ts";

/** Every route of logging besides those that all services have. */
export function buildRoutes(context: Context): Route[] {
  return [
    postLog,
    postOtlpLogs,
    listLogs,
    getLog,
    getLogStats,
    streamLogs,
    postOutcome,
    listOutcomes,
    listSignatures,
  ].map((build) => build(context));
}
