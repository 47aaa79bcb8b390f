import { expect } from "vitest";
import { toEvent, toTask, toWaiting } from "./records.ts";
import { refusal } from "./scripted-service.ts";
import { browserTest, type Stage } from "./stage.ts";

const at = (ms: number) => new Date(Date.now() + ms).toISOString();

async function openTask({ fleet, open }: Stage, task: ReturnType<typeof toTask>) {
  fleet.store(task, toEvent(task, task.status === "waiting" ? "approval_requested" : "created"));
  fleet.readable(task.id);
  const page = await open(`/tasks/${task.id}`);
  await page.getByRole("heading", { name: new RegExp(task.type) }).waitFor();
  await fleet.connected();
  return page;
}

browserTest("a task is watched to its end: status, timeline, events and result come live", async (stage) => {
  const { fleet } = stage;
  const task = toTask({ payload: { hello: "world" } });
  const page = await openTask(stage, task);
  fleet.put(
    { ...task, version: 2, status: "running", attempt: 1, startedAt: at(0), agent: "echo-agent", updatedAt: at(0) },
    "started",
    { attempt: 1 },
  );
  await page.getByText("attempt 1", { exact: true }).first().waitFor();
  fleet.log({ message: "run finished", traceId: task.traceId, taskId: task.id });
  const ended = {
    ...task,
    version: 3,
    status: "completed",
    attempt: 1,
    startedAt: at(-20),
    finishedAt: at(0),
    updatedAt: at(0),
    result: { echo: "world" },
  } as const;
  fleet.put(ended, "completed", { durationMs: 20 });
  await page.getByRole("region", { name: "Result" }).getByText('"world"').waitFor();
  await page.getByRole("cell", { name: "ran 20 ms" }).waitFor();
  await page.getByRole("button", { name: "Logs" }).click();

  await page.getByRole("row", { name: /run finished/ }).waitFor();
  expect(page.url()).toContain("?tab=logs");
});

browserTest("approving sends the version that was on screen", async (stage) => {
  const { fleet } = stage;
  const task = toWaiting({ version: 3, payload: { commitId: "8f2c1d0" } });
  fleet.orchestrator.on(`POST /task/${task.id}/approve`, () => ({
    body: { ...task, version: 4, status: "queued", waitingFor: null },
  }));
  const page = await openTask(stage, task);
  await page.getByRole("button", { name: "Approve version 3" }).click();
  await page.getByRole("region", { name: "Decide" }).waitFor({ state: "detached" });

  const asked = fleet.orchestrator.asked.find(({ path }) => path.endsWith("/approve"));
  expect(asked?.body).toEqual({ ifVersion: 3 });
});

browserTest("an approval that a finding asked for leads to it", async ({ fleet, open }) => {
  const findingId = "01a1fdd8-0000-7000-8000-00000000f1d0";
  const task = fleet.store(toWaiting({ correlationId: `finding:${findingId}` }));
  fleet.readable(task.id);
  const page = await open(`/approvals?sel=${task.id}`);

  const link = page.getByRole("link", { name: "what was seen, with its evidence" });
  expect(await link.getAttribute("href")).toBe(`/findings/${findingId}`);
});

browserTest("a change while reading locks the decision until it was looked at", async (stage) => {
  const { fleet } = stage;
  const task = toWaiting({ version: 3, payload: { commitId: "8f2c1d0" } });
  const page = await openTask(stage, task);
  await page.getByRole("button", { name: "Approve version 3" }).waitFor();
  fleet.put({ ...task, version: 4, payload: { commitId: "41be77a" } }, "patched", { changes: { payload: {} } });
  await page.getByText("This task changed while you were reading it.").waitFor();
  expect(await page.getByRole("button", { name: "Approve version 3" }).isDisabled()).toBe(true);
  await page.getByRole("button", { name: "Show what changed" }).click();
  await page.getByRole("list", { name: "What changed" }).getByText("41be77a").waitFor();
  await page.getByRole("button", { name: "Go on with version 4" }).click();

  expect(await page.getByRole("button", { name: "Approve version 4" }).isEnabled()).toBe(true);
  expect(fleet.orchestrator.asked.some(({ path }) => path.endsWith("/approve"))).toBe(false);
});

browserTest("a refused approval says that nothing was approved and shows the newer version", async (stage) => {
  const { fleet, expectComplaint } = stage;
  expectComplaint(/409/);
  const task = toWaiting({ version: 3, payload: { commitId: "8f2c1d0" } });
  const newer = { ...task, version: 4, payload: { commitId: "41be77a" } };
  const stale = refusal(409, "version_conflict", "The task is at version 4.", [{ currentVersion: 4, task: newer }]);
  fleet.orchestrator.on(`POST /task/${task.id}/approve`, () => stale);
  const page = await openTask(stage, task);
  await page.getByRole("button", { name: "Approve version 3" }).click();

  await page.getByText("Nothing was approved.").waitFor();
  await page.getByText("The task is at version 4.").waitFor();
  expect(await page.getByRole("button", { name: "Approve version 3" }).isDisabled()).toBe(true);
});

browserTest("a key opens the confirmation of a cancel and does nothing itself", async (stage) => {
  const { fleet } = stage;
  const task = toTask({ status: "running", attempt: 1, version: 2 });
  fleet.orchestrator.on(`POST /task/${task.id}/cancel`, () => ({ body: { ...task, version: 3, status: "canceled" } }));
  const page = await openTask(stage, task);
  await page.keyboard.press("Shift+C");
  await page.getByRole("dialog").waitFor();
  expect(fleet.orchestrator.asked.some(({ method }) => method === "POST")).toBe(false);
  await page.getByLabel("Reason").fill("wrong commit");
  await page.getByRole("button", { name: "Cancel version 2" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });

  expect(fleet.orchestrator.asked.find(({ path }) => path.endsWith("/cancel"))?.body).toEqual({
    reason: "wrong commit",
  });
  await page.getByText("canceled").first().waitFor();
});

browserTest("an action that this orchestrator does not offer is said plainly", async (stage) => {
  stage.expectComplaint(/404/);
  const page = await openTask(
    stage,
    toTask({ status: "failed", attempt: 3, error: { code: "boom", message: "It broke." } }),
  );
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByRole("button", { name: "Retry version 1" }).click();

  await page.getByText("it does not offer “retry” for this task. Nothing was changed.").waitFor();
});

browserTest("an edit sends only what was changed, with the version it was made on", async (stage) => {
  const { fleet } = stage;
  const task = toTask({ payload: { n: 1 }, priority: 0, version: 5 });
  fleet.orchestrator.on(`PATCH /task/${task.id}`, () => ({ body: { ...task, version: 6, priority: 50 } }));
  const page = await openTask(stage, task);
  await page.keyboard.press("e");
  await page.getByLabel("Priority (-100 to 100)").fill("50");
  await page.getByRole("button", { name: "Change version 5" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });

  expect(fleet.orchestrator.asked.find(({ method }) => method === "PATCH")?.body).toEqual({
    ifVersion: 5,
    priority: 50,
  });
});

browserTest("why a task waits is told, and an unknown id is no blank page", async (stage) => {
  stage.expectComplaint(/404/);
  const { fleet } = stage;
  const task = toTask({ type: "render.deploy" });
  fleet.orchestrator.on(`GET /task/${task.id}`, () => ({
    body: { ...task, events: [], why: { reason: "no_agent", detail: null } },
  }));
  const page = await stage.open(`/tasks/${task.id}`);
  await page.getByText("No live agent runs this type.").waitFor();
  await page.goto(new URL("/tasks/01a1fdd8-0000-7000-8000-000000000000", page.url()).href);

  await page.getByText("There is no task with this id").waitFor();
  await page.goto(new URL("/tasks/%E4", page.url()).href);
  await page.getByRole("heading", { level: 1, name: "There is no task with this id" }).waitFor();
});

browserTest(
  "a side effect says what it was, and a bar of the timeline opens the event that began it",
  async (stage) => {
    const { fleet } = stage;
    const task = toTask({ status: "running", attempt: 1, startedAt: at(-900) });
    const page = await openTask(stage, task);
    fleet.put({ ...task, version: 2 }, "started", { attempt: 1 });
    fleet.put({ ...task, version: 2 }, "side_effect", { attempt: 1, service: "telegram", messageId: 4 });
    await page.getByRole("cell", { name: "attempt 1, service telegram, messageId 4" }).waitFor();
    await page.locator(".bar-attempt").click();
    await page.waitForURL("**?tab=events&event=*");

    await page.locator("[data-asked]").getByText("started").waitFor();
  },
);
