import { asPerson, credentials } from "@signalbox/testing/http-service.ts";
import { startProcess, startService } from "@signalbox/testing/service-process.ts";
import { standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { expect, test } from "vitest";

const main = "services/echo-agent/main.ts";
const env = {
  BASIC_AUTH_USER: credentials.user,
  BASIC_AUTH_PASS: credentials.pass,
  INTERNAL_KEY: "key-of-now",
};

test("it boots with its own settings alone, registers, and SIGTERM ends it with 0", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startService({ main, env: { ...env, ORCHESTRATOR_URL: orchestrator.url } });
  expect(await orchestrator.registered()).toMatchObject({ name: "echo-agent", url: agent.url });
  const run = await orchestrator.run(agent.url, { path: "/echo", type: "echo", payload: "hello" });
  expect(await run.json()).toMatchObject({ result: { echo: "hello" } });
  const report = await (await fetch(`${agent.url}/config/validate`, { headers: asPerson })).json();
  expect(report).toMatchObject({ service: "echo-agent", ok: true });
  expect(JSON.stringify(report)).not.toContain(credentials.pass);
  expect(await agent.stop()).toMatchObject({ code: 0 });
  expect(agent.output()).not.toContain(credentials.pass);
});

test("without its settings it names every bad one, no value, and ends with 1", async () => {
  await using agent = startProcess({ main, env: { ...env, INTERNAL_KEY: "hunter2", BASIC_AUTH_USER: "" } });
  expect(await agent.exited).toMatchObject({ code: 1 });
  expect(agent.output()).toMatch(/BASIC_AUTH_USER is required but not set/);
  expect(agent.output()).toMatch(/INTERNAL_KEY must NOT have fewer than 8 characters/);
  expect(agent.output()).not.toContain("hunter2");
});
