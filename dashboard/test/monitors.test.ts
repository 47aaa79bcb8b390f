import { expect } from "vitest";
import type { ScriptedFleet } from "./scripted-fleet.ts";
import { listOf, refusal } from "./scripted-service.ts";
import { browserTest } from "./stage.ts";

const aMonitor = {
  ...{ name: "signups", origin: "database", version: 4, updatedBy: null, updatedAt: null, suggestion: null },
  definition: { title: "Sign-ups", event: "signed_up" },
  health: {
    state: "ok",
    judgedUntil: null,
    lastRunAt: null,
    lastSuccessAt: null,
    failures: 0,
    error: null,
    episodes: 0,
  },
  precision: { told: 4, declined: 1, precision: 0.75 },
};

async function addWatcher(fleet: ScriptedFleet) {
  const watcher = await fleet.add("posthog-watcher");
  watcher.on("GET /findings", () => listOf());
  watcher.on("GET /watch/status", () => ({
    body: { mode: "observe", stopped: { isStopped: false }, lastRunAt: null, closedUntil: null },
  }));
  watcher.on("GET /monitors", () => listOf(aMonitor));
  watcher.on("GET /wakeups", () => ({ body: { enabled: false, items: [] }, headers: { ETag: '"7"' } }));
  return watcher;
}

browserTest("a monitor is replaced at the version that was on screen", async ({ fleet, open, expectComplaint }) => {
  expectComplaint(/409/);
  const watcher = await addWatcher(fleet);
  watcher.on("PUT /monitors/signups", () =>
    refusal(409, "version_conflict", "The monitor is not the one that you saw: it is at version 5."),
  );
  const page = await open("/findings?tab=monitors");
  await page.getByText("75 %, 3 of 4").waitFor();
  await page.getByRole("button", { name: "Edit signups" }).click();
  await page.getByRole("button", { name: "Replace version 4" }).click();

  await page
    .getByRole("dialog")
    .getByText(/it is at version 5\. Nothing was changed/)
    .waitFor();
  const asked = watcher.asked.find(({ method }) => method === "PUT");
  expect([asked?.headers["if-match"], asked?.body]).toEqual(['"4"', aMonitor.definition]);
});

browserTest("a new monitor is tried over the past, then made as it was tried", async ({ fleet, open }) => {
  const watcher = await addWatcher(fleet);
  const at = "2026-11-03T09:00:00.000Z";
  const finding = { series: null, severity: "critical", title: "Orders: down 80 %", since: at, raisedAt: at };
  watcher.on("POST /monitors/orders/dry-run", () => ({ body: { findings: [finding], findingsAWeek: 0.23 } }));
  watcher.on("PUT /monitors/orders", () => ({ status: 201, body: { ...aMonitor, name: "orders" } }));
  const page = await open("/findings?tab=monitors");
  await page.getByRole("button", { name: "New monitor" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByRole("button", { name: "Make the monitor" }).isDisabled()).toBe(true);
  await dialog.getByLabel("Name").fill("orders");
  await dialog.getByLabel("title").fill("Orders");
  await dialog.getByLabel("event").fill("order_placed");
  await dialog.getByRole("button", { name: "Try it on the last 30 days" }).click();
  await dialog.getByText("1 finding, 0.23 a week").waitFor();
  await dialog.getByText("critical, Orders: down 80 %").waitFor();
  await dialog.getByRole("button", { name: "Make the monitor" }).click();
  await page.getByText("orders watches from now on").waitFor();

  const definition = { title: "Orders", event: "order_placed", direction: "down" };
  const sent = watcher.asked.filter(({ path }) => path.startsWith("/monitors/orders"));
  expect(sent.map(({ body }) => body)).toEqual([{ definition }, definition]);
  expect(sent[1]?.headers["if-match"]).toBeUndefined();
});

browserTest("a wakeup is added to those that were on screen", async ({ fleet, open }) => {
  const watcher = await addWatcher(fleet);
  watcher.on("PUT /wakeups", ({ body }) => ({ body }));
  const page = await open("/findings?tab=monitors");
  await page.getByRole("button", { name: "Edit wakeups" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("enabled").check();
  await dialog.getByRole("button", { name: /^Add/ }).click();
  await dialog.getByLabel("title").fill("Morning");
  await dialog.getByLabel("prompt").fill("What happened over night?");
  expect(await dialog.getByRole("button", { name: "Save the wakeups" }).isDisabled()).toBe(true);
  await dialog.getByRole("button", { name: /^Add/ }).first().click();
  await dialog.locator("input").last().fill("06:30");
  await dialog.getByRole("button", { name: "Save the wakeups" }).click();
  await page.getByText("1 wakeup", { exact: true }).waitFor();

  const sent = watcher.asked.find(({ method }) => method === "PUT");
  const items = [{ title: "Morning", prompt: "What happened over night?", times: ["06:30"] }];
  expect([sent?.headers["if-match"], sent?.body]).toEqual(['"7"', { enabled: true, items }]);
});
