import { type Agent, type AgentOptions, buildRunRoutes, defineTaskType, serveAgent } from "@signalbox/common/agent.ts";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import type { Route } from "@signalbox/common/route.ts";
import { version } from "@signalbox/common/version.ts";
import { EchoPayload } from "./knobs.ts";
import { echo, serviceName } from "./routes/run-echo.ts";
import type { Settings } from "./settings.ts";

/** Lower than any agent that means it: a real one takes over by registering. */
const priority = -100;
const shared = { path: "/echo", priority, maxConcurrency: 100, payloadSchema: EchoPayload };

const types = [
  defineTaskType({
    ...shared,
    type: "echo",
    description: "Mirrors its payload",
    run: (context) => echo(context, false),
  }),
  ...["cli.message", "telegram.message"].map((type) =>
    defineTaskType({ ...shared, type, description: "Says a message back", run: (context) => echo(context, true) }),
  ),
  defineTaskType({
    ...shared,
    type: "github.event",
    description: "Mirrors what GitHub reported",
    run: (context) => echo(context, false),
  }),
];

export function buildRoutes(): Route[] {
  return buildRunRoutes(types);
}

export function buildApp(settings: Settings, report: () => ConfigReport, overrides: Partial<AgentOptions> = {}): Agent {
  return serveAgent({ settings, name: serviceName, version, types, report, ...overrides });
}
