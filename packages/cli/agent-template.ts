/*
 * What `pnpm new-agent` writes. Everything that has to do with being an agent is in the kit, so what stands here is what its writer
 * changes: the payload's shape, what is done, and a fact about it.
 */

export type NewAgent = { name: string; port: number };

/** Every file of a new agent, by its path below the agent's folder. */
export function agentFiles(agent: NewAgent): Map<string, string> {
  return new Map([
    ["settings.ts", toSettings(agent)],
    ["app.ts", toApp(agent)],
    ["main.ts", main],
    ["app.test.ts", toTest(agent)],
    ["package.json", toPackage(agent)],
    ["README.md", toReadme(agent)],
  ]);
}

function toSettings({ name, port }: NewAgent): string {
  return `import { agentSettings } from "@signalbox/common/agent.ts";
import { defineSettings, portSetting } from "@signalbox/common/settings.ts";
import type { Static } from "typebox";

export const settings = defineSettings("${name}", { ...agentSettings, PORT: portSetting(${port}) });

export type Settings = Static<typeof settings.schema>;
`;
}

function toApp({ name }: NewAgent): string {
  return `import { type Agent, type AgentOptions, defineTaskType, serveAgent } from "@signalbox/common/agent.ts";
import { AgentError } from "@signalbox/common/agent-run.ts";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import { version } from "@signalbox/common/version.ts";
import { Type } from "typebox";
import type { Settings } from "./settings.ts";

/** The contract: the dashboard makes a form of it, and a task that does not fit is refused when it is made. */
const Payload = Type.Object(
  { text: Type.String({ minLength: 1, maxLength: 10_000, description: "what is to be worked on" }) },
  { additionalProperties: false },
);

export const types = [
  defineTaskType({
    type: "${name}.run",
    path: "/run/${name}",
    description: "Counts the words of a text",
    payloadSchema: Payload,
    timeoutMs: 30_000,
    maxConcurrency: 10,
    // approval: "required" lets a person decide before it runs; for everything that changes the world outside.
    async run({ payload, progress, signal }) {
      await progress("counting", 50);
      signal.throwIfAborted();
      const words = payload.text.split(/\\s+/).filter((word) => word !== "");
      // An AgentError is read by a person and ends the task; anything else that is thrown is a bug, and tried again.
      if (words.length === 0) throw new AgentError("The text has no words.", { code: "no_words" });
      return { result: { words: words.length } };
    },
  }),
];

export function buildApp(settings: Settings, report: () => ConfigReport, overrides: Partial<AgentOptions> = {}): Agent {
  return serveAgent({ settings, name: "${name}", version, types, report, ...overrides });
}
`;
}

const main = `import { runMain } from "@signalbox/common/run-main.ts";
import { buildApp } from "./app.ts";
import { settings } from "./settings.ts";

await runMain(settings, process.env, buildApp);
`;

function toTest({ name }: NewAgent): string {
  return `import { standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { startTestAgent } from "@signalbox/testing/test-agent.ts";
import { expect, test } from "vitest";
import { types } from "./app.ts";

const run = { path: "/run/${name}", type: "${name}.run" };

test("it counts words", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startTestAgent(orchestrator, types);
  const answer = await orchestrator.run(agent.url, { ...run, payload: { text: "three small words" } });
  expect(await answer.json()).toEqual({ result: { words: 3 } });
});

test("a text without words fails for good, and says why", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startTestAgent(orchestrator, types);
  const answer = await orchestrator.run(agent.url, { ...run, payload: { text: " " } });
  expect(answer.status).toBe(422);
  expect(await answer.json()).toMatchObject({ error: { code: "no_words" } });
});

test("a payload that does not fit is refused, with what is wrong", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startTestAgent(orchestrator, types);
  const answer = await orchestrator.run(agent.url, { ...run, payload: { words: 3 } });
  expect(answer.status).toBe(400);
  expect(JSON.stringify(await answer.json())).toContain("/payload");
});
`;
}

function toPackage({ name }: NewAgent): string {
  const content = {
    name: `@signalbox/${name}`,
    version: "0.1.0",
    private: true,
    license: "UNLICENSED",
    type: "module",
    exports: { "./*.ts": "./*.ts" },
    dependencies: { "@signalbox/common": "workspace:*", typebox: "^1.4.3" },
    devDependencies: { "@signalbox/testing": "workspace:*" },
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function toReadme({ name, port }: NewAgent): string {
  return `# ${name}

Runs \`${name}.run\`: counts the words of a text. Say here what it does, for whom, and what it needs.

* In a local fleet it listens on the port base + ${port - 4_000}; a required setting of its own that is missing keeps it off, with the reason.
* Try it: \`npx pnpm signalbox run ${name}.run '{"text":"three small words"}'\`
* Settings: [the table](../../docs/reference/settings.md); they stand in \`settings.ts\`, and \`npx pnpm generate\` tells everybody.
* How agents work: [docs/agents.md](../../docs/agents.md).
`;
}
