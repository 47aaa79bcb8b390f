/*
 * The example of an agent that calls somebody else's HTTP: what may be called is a setting and not the payload's choice, every call
 * has a timeout and a largest answer, and a site that is away is a failure worth another try while a wrong wish is none.
 */
import { type Agent, type AgentOptions, buildRunRoutes, defineTaskType, serveAgent } from "@signalbox/common/agent.ts";
import { AgentError, type RunContext, type RunOutcome } from "@signalbox/common/agent-run.ts";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import type { Route } from "@signalbox/common/route.ts";
import { version } from "@signalbox/common/version.ts";
import { type Static, Type } from "typebox";
import { buildPages, PageError, type Pages } from "./clients/page.ts";
import { findTitle, isAllowed } from "./page.ts";
import type { Settings } from "./settings.ts";

const Payload = Type.Object(
  { url: Type.String({ format: "uri", maxLength: 2_000, description: "a page of one of PAGE_ORIGINS" }) },
  { additionalProperties: false },
);

type Known = { pages: Pages; origins: readonly string[] };

export function buildTypes(known: Known) {
  return [
    defineTaskType({
      type: "page.check",
      path: "/run/page-check",
      description: "Looks at a page: its status, title, size and how long it took",
      payloadSchema: Payload,
      timeoutMs: 30_000,
      maxConcurrency: 4,
      run: (context) => checkPage(known, context),
    }),
  ];
}

async function checkPage({ pages, origins }: Known, context: RunContext<Static<typeof Payload>>): Promise<RunOutcome> {
  const { payload, signal } = context;
  if (!isAllowed(payload.url, origins)) {
    throw new AgentError(`PAGE_ORIGINS does not name the site of ${payload.url}.`, { code: "not_allowed" });
  }
  const page = await pages.look(payload.url, signal).catch((error: unknown) => {
    if (!(error instanceof PageError)) throw error;
    throw new AgentError(error.message, { code: "page_away", retryable: true, cause: error });
  });
  const { status, location, text, tookMs } = page;
  return { result: { url: payload.url, status, location, title: findTitle(text), sizeChars: text.length, tookMs } };
}

export function buildRoutes(): Route[] {
  return buildRunRoutes(buildTypes({ pages: buildPages(), origins: [] }));
}

export function buildApp(settings: Settings, report: () => ConfigReport, overrides: Partial<AgentOptions> = {}): Agent {
  const pages = buildPages();
  const types = buildTypes({ pages, origins: settings.PAGE_ORIGINS });
  const agent = serveAgent({ settings, name: "page-agent", version, types, report, ...overrides });
  return {
    ...agent,
    async stop() {
      await agent.stop();
      await pages.close();
    },
  };
}
