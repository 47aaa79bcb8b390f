import { eventually } from "@signalbox/testing/eventually.ts";
import { standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { startTestAgent, type TestAgent } from "@signalbox/testing/test-agent.ts";
import { expect, test } from "vitest";
import { defineTaskType } from "./agent.ts";
import { ApiError } from "./errors.ts";

const type = defineTaskType({ type: "test.run", path: "/run", run: async () => ({ result: null }) });
const away = new ApiError("unavailable", "Away.");

function linesAbout(agent: TestAgent): string[] {
  const about = /^(registered|the orchestrator is back|heartbeats do not arrive)/;
  return agent.lines.flatMap(({ message, level }) => (about.test(message) ? [`${level}: ${message}`] : []));
}

test("heartbeats go on, each from the same instance", async () => {
  await using orchestrator = await standInOrchestrator();
  await using _agent = await startTestAgent(orchestrator, [type], { heartbeatMs: 10 });
  await eventually(() => orchestrator.heartbeats.length >= 3, { what: "three heartbeats" });
  expect(new Set(orchestrator.heartbeats.map(({ instance }) => instance)).size).toBe(1);
});

test("two boots of one agent are two instances", async () => {
  await using orchestrator = await standInOrchestrator();
  await using first = await startTestAgent(orchestrator, [type]);
  await using second = await startTestAgent(orchestrator, [type]);
  expect(first.agent.instance).not.toBe(second.agent.instance);
});

test("the first heartbeat is tried again quickly until it arrives", async () => {
  await using orchestrator = await standInOrchestrator();
  let refused = 0;
  orchestrator.refuse = () => (refused++ < 3 ? away : null);
  await using agent = await startTestAgent(orchestrator, [type]);
  // With the usual 10 s between heartbeats this would take half a minute.
  await eventually(() => orchestrator.heartbeats.length > 0, { what: "the first heartbeat" });
  await eventually(() => linesAbout(agent).length === 2);
  expect(linesAbout(agent)).toEqual(["warn: heartbeats do not arrive; they go on", "info: the orchestrator is back"]);
});

test("a loss is told once and the return once, however long it lasts", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startTestAgent(orchestrator, [type], { heartbeatMs: 10 });
  await orchestrator.registered();
  let refused = 0;
  orchestrator.refuse = () => {
    refused++;
    return away;
  };
  await eventually(() => refused >= 5, { what: "five lost heartbeats" });
  orchestrator.refuse = () => null;
  await eventually(() => linesAbout(agent).length === 3, { what: "the return" });
  expect(linesAbout(agent)).toEqual([
    "info: registered",
    "warn: heartbeats do not arrive; they go on",
    "info: the orchestrator is back",
  ]);
});

test("a wrong key is told as such, and the agent lives on", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startTestAgent({ url: orchestrator.url, internalKey: "wrong-key" }, [type]);
  const line = await eventually(() => agent.lines.find(({ level }) => level === "warn"));
  expect(line).toMatchObject({ data: { status: 401, err: { message: "Send the header X-INTERNAL-KEY." } } });
  expect((await fetch(`${agent.url}/health`)).status).toBe(200);
});

test("an agent that stops says that it takes nothing any more", async () => {
  await using orchestrator = await standInOrchestrator();
  const agent = await startTestAgent(orchestrator, [type]);
  await orchestrator.registered();
  await agent.agent.stop();
  expect(orchestrator.heartbeats.at(-1)).toMatchObject({ instance: agent.agent.instance, types: [] });
});
