import {
  type Agent,
  type AgentOptions,
  type AgentSettings,
  type RunnableType,
  serveAgent,
} from "@signalbox/common/agent.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { credentials, type LogLine } from "./http-service.ts";
import type { StandInOrchestrator } from "./stand-in-orchestrator.ts";

export type TestAgent = AsyncDisposable & {
  url: string;
  agent: Agent;
  lines: LogLine[];
  /** the "run finished" lines so far */
  finished(): LogLine[];
};

/** An agent of these types, started and registered with the stand-in. */
export async function startTestAgent(
  orchestrator: Pick<StandInOrchestrator, "url" | "internalKey">,
  types: readonly RunnableType[],
  { settings, ...options }: Partial<Omit<AgentOptions, "settings">> & { settings?: Partial<AgentSettings> } = {},
): Promise<TestAgent> {
  const lines: LogLine[] = [];
  const logs = buildLog({
    service: "test-agent",
    level: "debug",
    format: "json",
    print: (text) => void lines.push(JSON.parse(text)),
  });
  const agent = serveAgent({
    name: "test-agent",
    version: "1.2.3",
    types,
    logs,
    report: () => ({ service: "test-agent", ok: true, schemaHash: "", settings: [] }),
    settings: {
      PORT: 0,
      HOST: "127.0.0.1",
      ORCHESTRATOR_URL: orchestrator.url,
      LOGGING_URL: "http://127.0.0.1:9",
      BASIC_AUTH_USER: credentials.user,
      BASIC_AUTH_PASS: credentials.pass,
      INTERNAL_KEY: orchestrator.internalKey,
      WS_ALLOWED_ORIGINS: [],
      LOG_LEVEL: "debug",
      LOG_FORMAT: "json",
      ...settings,
    },
    ...options,
  });
  await agent.start();
  let stopped: Promise<void> | null = null;
  const { stop } = agent;
  agent.stop = () => {
    stopped ??= stop();
    return stopped;
  };
  return {
    url: `http://127.0.0.1:${agent.port()}`,
    agent,
    lines,
    finished: () => lines.filter(({ message }) => message === "run finished"),
    [Symbol.asyncDispose]: () => agent.stop(),
  };
}
