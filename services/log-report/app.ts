/*
 * The example of a long-running agent. A run answers 202 at once and goes on for as long as it takes: each progress renews its lease and
 * shows where it is, a cancel or a lost lease aborts the signal, and a process that dies leaves the task to the next attempt, which begins
 * anew: it reads only, so twice is as good as once. An agent that writes must first look for what an earlier attempt has done.
 */
import { type Agent, type AgentOptions, buildRunRoutes, defineTaskType, serveAgent } from "@signalbox/common/agent.ts";
import { AgentError, type RunContext } from "@signalbox/common/agent-run.ts";
import type { LogList } from "@signalbox/common/contracts/log.ts";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import type { Route } from "@signalbox/common/route.ts";
import { version } from "@signalbox/common/version.ts";
import { type Static, Type } from "typebox";
import { buildLogging, type Logging, LoggingError } from "./clients/logging.ts";
import type { Settings } from "./settings.ts";
import { addPage, emptyTally, percentOf, type Tally } from "./tally.ts";

const Payload = Type.Object(
  {
    since: Type.String({ format: "date-time", description: "records from this time on" }),
    until: Type.String({ format: "date-time", description: "and before this time" }),
  },
  { additionalProperties: false },
);
type Payload = Static<typeof Payload>;

type Known = { logging: Logging; maxRecords: number };

export function buildTypes(known: Known) {
  return [
    defineTaskType({
      type: "log.report",
      path: "/run/log-report",
      description: "Counts the log records of a time range by service and level",
      payloadSchema: Payload,
      // Of silence, not of work: every progress renews it.
      timeoutMs: 60_000,
      maxConcurrency: 1,
      run: async (context) => context.defer(() => report(known, context)),
    }),
  ];
}

async function report(
  { logging, maxRecords }: Known,
  context: RunContext<Payload>,
): Promise<Tally & { isWhole: boolean }> {
  const { payload, signal, progress } = context;
  const range = { since: Date.parse(payload.since), until: Date.parse(payload.until) };
  if (range.since >= range.until) throw new AgentError("since must be before until.", { code: "empty_range" });
  let [tally, cursor]: [Tally, string | null] = [emptyTally, null];
  do {
    const page: LogList = await logging.readPage(payload, cursor, signal).catch(explain);
    tally = addPage(tally, page.items);
    cursor = page.nextCursor;
    const oldest = Date.parse(page.items.at(-1)?.at ?? payload.since);
    await progress(`${tally.records} records`, percentOf(range, oldest));
  } while (cursor !== null && tally.records < maxRecords);
  return { ...tally, isWhole: cursor === null };
}

function explain(error: unknown): never {
  if (!(error instanceof LoggingError)) throw error;
  throw new AgentError(error.message, { code: "logging_away", retryable: true, cause: error });
}

export function buildRoutes(): Route[] {
  return buildRunRoutes(buildTypes({ logging: buildLogging({ url: "", internalKey: "" }), maxRecords: 1 }));
}

export function buildApp(settings: Settings, report: () => ConfigReport, overrides: Partial<AgentOptions> = {}): Agent {
  const logging = buildLogging({ url: settings.LOGGING_URL, internalKey: settings.INTERNAL_KEY });
  const types = buildTypes({ logging, maxRecords: settings.LOG_REPORT_MAX_RECORDS });
  const agent = serveAgent({ settings, name: "log-report", version, types, report, ...overrides });
  return {
    ...agent,
    async stop() {
      await agent.stop();
      await logging.close();
    },
  };
}
