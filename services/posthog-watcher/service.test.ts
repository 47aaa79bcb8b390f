import type { Task, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startPosthogStandIn } from "@signalbox/testing/posthog-stand-in/server.ts";
import { startProcess, startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";

type Finding = { id: string; proposedTaskIds: string[] };

const hourMs = 3_600_000;
const authorization = `Basic ${Buffer.from("operator:a-test-password").toString("base64")}`;
const secrets = {
  BASIC_AUTH_USER: "operator",
  BASIC_AUTH_PASS: "a-test-password",
  INTERNAL_KEY: "the-internal-key",
  LOGGING_URL: "http://127.0.0.1:9",
  LOG_LEVEL: "fatal",
};

async function ask<T>(url: string, { method = "GET", body }: { method?: string; body?: object } = {}): Promise<T> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(url, {
    method,
    headers: { authorization, "content-type": "application/json" },
    ...init,
  });
  return (await response.json()) as T;
}

/** Six weeks of an event up to a time. */
const history = (event: string, to: number, value: number) => ({
  ...{
    event,
    from: Math.floor(Date.now() / hourMs) * hourMs - 42 * 24 * hourMs,
    to,
    stepSeconds: 600,
    value,
    wave: 0.3,
  },
});

test("in a real fleet a finding's proposal waits, is approved, is carried out by the watcher, and leaves its side effect", async () => {
  await using database = await freshDatabase();
  await using posthog = await startPosthogStandIn();
  const now = Date.now();
  posthog.control.addSeries(history("other", now + hourMs, 300));
  posthog.control.addSeries(history("signed_up", Math.floor(now / hourMs) * hourMs - 3 * hourMs, 100));
  posthog.control.addFlag({ key: "new-signup" });
  await using orchestrator = await startService({
    main: "services/orchestrator/main.ts",
    env: { ...secrets, DATABASE_URL: database.url },
  });
  await using watcher = await startService({
    main: "services/posthog-watcher/main.ts",
    env: {
      ...secrets,
      ...{ DATABASE_URL: database.url, ORCHESTRATOR_URL: orchestrator.url, MONITORS_DIR: "/nowhere" },
      ...{
        POSTHOG_HOST: posthog.url,
        POSTHOG_PROJECT_ID: "12345",
        POSTHOG_API_KEY: posthog.apiKey,
        POSTHOG_MODE: "propose",
      },
    },
  });
  await eventually(async () => (await ask<{ items: unknown[] }>(`${orchestrator.url}/agents`)).items.length > 0, {
    what: "the watcher's heartbeat",
  });
  const propose = { type: "posthog.flag.set", payload: { flag: "new-signup", active: false } };
  await ask(`${watcher.url}/monitors/signups`, { method: "PUT", body: { event: "signed_up", settle: "1m", propose } });
  const finding = await eventually(
    async () => {
      const { items } = await ask<{ items: Finding[] }>(`${watcher.url}/findings`);
      return items.find((one) => one.proposedTaskIds.length > 0);
    },
    { timeoutMs: 30_000, what: "a finding with its proposal" },
  );
  expect(finding).toMatchObject({ monitor: "signups", severity: "critical" });
  const taskUrl = `${orchestrator.url}/task/${finding.proposedTaskIds[0]}`;
  const task = await ask<Task>(taskUrl);
  expect(task).toMatchObject({
    type: "posthog.flag.set",
    status: "waiting",
    waitingFor: "approval",
    correlationId: `finding:${finding.id}`,
  });
  expect(posthog.state.flags[0]?.active).toBe(true);

  await ask(`${taskUrl}/approve`, { method: "POST", body: { ifVersion: task.version } });
  const ended = await eventually(async () => {
    const seen = await ask<TaskWithEvents>(taskUrl);
    return seen.status === "completed" && seen;
  });
  expect(posthog.state.flags[0]?.active).toBe(false);
  expect(ended.result).toMatchObject({ isChange: true, undo: { payload: { active: true } } });
  expect(ended.events.find(({ kind }) => kind === "side_effect")?.data).toMatchObject({
    did: "flag.set",
    flag: "new-signup",
  });
});

test("it does not start with a wrong monitor or a deploy that may run unasked, and says where", async () => {
  const base = { ...secrets, DATABASE_URL: "postgres://nobody@127.0.0.1:9/x", ORCHESTRATOR_URL: "http://127.0.0.1:9" };
  const posthog = { POSTHOG_HOST: "http://127.0.0.1:9", POSTHOG_PROJECT_ID: "1", POSTHOG_API_KEY: "phx_secret_1" };
  await using unset = startProcess({ main: "services/posthog-watcher/main.ts", env: base });
  expect(await unset.exited).toMatchObject({ code: 1 });
  expect(unset.output()).toMatch(/POSTHOG_HOST is required[\s\S]*POSTHOG_API_KEY is required/);
  const env = { ...base, ...posthog, POSTHOG_MODE: "execute", POSTHOG_EXECUTE_ALLOW: "render.deploy" };
  await using listed = startProcess({ main: "services/posthog-watcher/main.ts", env });
  expect(await listed.exited).toMatchObject({ code: 1 });
  expect(listed.output()).toContain("POSTHOG_EXECUTE_ALLOW names render.deploy");
  expect(listed.output()).not.toContain("phx_secret_1");
});
