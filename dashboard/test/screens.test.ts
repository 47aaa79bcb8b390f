import type { Schedule } from "@signalbox/common/contracts/schedule.ts";
import { expect } from "vitest";
import { nextId, toTask, toWaiting } from "./records.ts";
import { listOf, refusal } from "./scripted-service.ts";
import { browserTest } from "./stage.ts";

function toSchedule(change: Partial<Schedule> = {}): Schedule {
  const at = new Date().toISOString();
  return {
    ...{ id: nextId(), name: "Nightly", cron: "0 2 * * *", everySeconds: null, at: null, timezone: "UTC" },
    ...{ task: { type: "echo", payload: {} }, missed: "skip", enabled: true, lastError: null },
    ...{ nextAt: null, lastFiredAt: null, lastTaskId: null, createdAt: at, updatedAt: at },
    ...change,
  };
}

browserTest("a list that cannot be read says why with its trace, and Retry reads it", async (stage) => {
  const { fleet, open, expectComplaint } = stage;
  expectComplaint(/503/);
  fleet.orchestrator.on("GET /schedules", () => refusal(503, "unavailable", "The database is away."));
  const page = await open("/schedules");
  const note = page.getByRole("alert");
  await note.getByText("The database is away.").waitFor();
  await note.getByText(/unavailable · trace 0af7651916cd43dd8448eb211c80319c/).waitFor();
  fleet.orchestrator.on("GET /schedules", () => listOf(toSchedule()));
  await note.getByRole("button", { name: "Retry" }).click();

  await page.getByRole("region", { name: "Nightly" }).waitFor();
});

browserTest("a slow list shows a skeleton, then its rows", async ({ fleet, open }) => {
  const seen = Promise.withResolvers<void>();
  fleet.orchestrator.on("GET /schedules", () => ({ ...listOf(toSchedule()), after: seen.promise }));
  const page = await open("/schedules");
  await page.getByRole("status", { name: "Loading" }).waitFor();
  seen.resolve();

  await page.getByRole("region", { name: "Nightly" }).waitFor();
  await page.getByRole("status", { name: "Loading" }).waitFor({ state: "detached" });
});

browserTest("a service that is off costs only its screen, which says how to switch it on", async ({ open }) => {
  const page = await open("/infra");
  await page.getByText("renderctl is off in this fleet").waitFor();
  await page.getByText("RENDER_API_TOKEN").waitFor();
  await page.getByRole("link", { name: "Schedules" }).click();

  await page.getByText("Nothing runs by the clock yet").waitFor();
});

browserTest(
  "a refusal stands in its dialog and says that nothing was changed",
  async ({ fleet, open, expectComplaint }) => {
    expectComplaint(/422/);
    const schedule = toSchedule();
    fleet.orchestrator.on("GET /schedules", () => listOf(schedule));
    fleet.orchestrator.on(`POST /schedules/${schedule.id}/run`, () =>
      refusal(422, "unsupported_task_type", "No agent takes echo."),
    );
    const page = await open("/schedules");
    await page.getByRole("button", { name: "Run now Nightly" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Run now" }).click();

    await page.getByRole("dialog").getByText("No agent takes echo. Nothing was changed.").waitFor();
  },
);

browserTest("a schedule shows its next five fires, and what became of the last one, live", async ({ fleet, open }) => {
  const last = fleet.store(toTask({ status: "running", attempt: 1 }));
  fleet.readable(last.id);
  const nextAt = "2030-03-01T02:00:00.000Z";
  const fired = { lastTaskId: last.id, lastFiredAt: last.createdAt };
  fleet.orchestrator.on("GET /schedules", () => listOf(toSchedule({ nextAt, ...fired, missed: "all" })));
  const page = await open("/schedules");
  const card = page.getByRole("region", { name: "Nightly" });
  await card.getByText("running", { exact: true }).waitFor();
  const fires = await card.locator("time").evaluateAll((times) => times.map((time) => time.getAttribute("datetime")));
  expect(fires.slice(0, 5)).toEqual([1, 2, 3, 4, 5].map((day) => `2030-03-0${day}T02:00:00.000Z`));
  await card.getByText("all made up for").waitFor();
  await fleet.connected();
  fleet.put({ ...last, version: 2, status: "failed", finishedAt: nextAt }, "failed");

  await card.getByText("failed", { exact: true }).waitFor();
});

browserTest("a bar of the throughput opens the tasks of its time, by mouse and from its table", async (stage) => {
  const { fleet, open } = stage;
  const [untilMs, bucketMs] = [Date.UTC(2026, 10, 21, 12), 60_000];
  const at = (minute: number) => new Date(untilMs - 3_600_000 + minute * bucketMs).toISOString();
  const none = { p50: null, p95: null, p99: null };
  fleet.orchestrator.on("GET /tasks/stats", () => ({
    body: {
      ...{ since: at(0), until: at(60), bucketMs, total: 9, byStatus: { completed: 9 }, byType: {}, waitMs: none },
      ...{ runMs: none, success: { byType: { echo: { completed: 9, failed: 0, successRate: 1 } }, byAgent: {} } },
      buckets: [{ at: at(30), created: 9, completed: 9, failed: 0, canceled: 0 }],
    },
  }));
  const page = await open("/analytics?window=1h");
  const bars = `/tasks?${new URLSearchParams({ since: at(30), until: at(31) })}`;
  await page.getByText("The figures as a table").click();
  expect(
    await page
      .getByRole("row", { name: / 9 9 0 0$/ })
      .getByRole("link")
      .getAttribute("href"),
  ).toBe(bars);
  const type = `/tasks?${new URLSearchParams({ type: "echo", since: at(0), until: at(60) })}`;
  expect(await page.getByRole("link", { name: "echo", exact: true }).getAttribute("href")).toBe(type);
  const box = await page.locator(".plot-pick").boundingBox();
  if (!box) throw new Error("the plot has no place");
  await page.mouse.click(box.x + box.width * (30 / 59), box.y + box.height / 2);

  await page.waitForURL(`**${bars}`);
});

browserTest("an unknown filter is an error, and what the API cannot filter says so", async ({ fleet, open }) => {
  const delivery = {
    ...{ id: nextId(), source: "github", event: "push", action: null, deliveryId: "d-1", signature: "current" },
    ...{
      receivedAt: new Date().toISOString(),
      rules: [],
      rulesHash: "x",
      taskIds: [],
      duplicates: 0,
      outcome: "accepted",
    },
  };
  fleet.orchestrator.on("GET /webhooks/deliveries", () => listOf(delivery));
  const page = await open("/deliveries?source=github&q=nothing-alike");
  await page.getByText("loaded rows only").waitFor();
  await page.getByText("No delivery matches this filter").waitFor();
  await page.getByLabel("Filter deliveries").fill("sauce:github");

  await page.getByText(/There is no filter “sauce”/).waitFor();
  expect(fleet.orchestrator.asked.some(({ query }) => query.has("q"))).toBe(false);
});

browserTest(
  "an approval screen keeps what was typed through a new sign-in",
  async ({ fleet, open, expectComplaint }) => {
    expectComplaint(/401/);
    const task = fleet.store(toWaiting({ payload: { serviceId: "srv-1" } }));
    fleet.readable(task.id);
    const page = await open(`/approvals?sel=${task.id}`);
    await page.getByLabel(/^Note/).fill("looks right to me");
    fleet.orchestrator.accepted = "another";
    // The page asks by itself too, and the dialog may already be there, in front of the button.
    await page.getByRole("button", { name: "Approve version 1" }).dispatchEvent("click");
    await page.getByRole("dialog", { name: "Sign in again" }).waitFor();

    expect(await page.getByLabel(/^Note/).inputValue()).toBe("looks right to me");
    expect(page.url()).toContain(`sel=${task.id}`);
  },
);
