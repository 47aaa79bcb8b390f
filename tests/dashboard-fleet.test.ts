import type { Schedule } from "@signalbox/common/contracts/schedule.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect } from "vitest";
import {
  fact,
  findClipped,
  findOverlaps,
  findService,
  findUnreachable,
  findViolations,
  fleet,
  getTask,
  listPaths,
  open,
  orchestrator,
  visit,
  waitingTask,
  whenLive,
} from "./dashboard-browser.fixture.ts";
import { callService, createTask } from "./dashboard-story.fixture.ts";

/* The dashboard's screens by their acceptance checks, in a real browser, on a whole fleet in rehearsal. */

for (const colorScheme of ["light", "dark"] as const) {
  fact(`every screen opens by its address, shows what it is for, and axe finds nothing, ${colorScheme}`, async () => {
    const page = await open("/", { colorScheme, reducedMotion: "reduce" });
    const found: string[] = [];
    for (const [path, shows] of await listPaths()) {
      await visit(page, path, shows);
      await page.waitForFunction(() => !document.querySelector("[role=status][aria-label=Loading]"));
      const all = await Promise.all([findViolations(page), findUnreachable(page), findClipped(page)]);
      for (const violation of all.flat()) found.push(`${path} ${violation}`);
    }
    expect(found).toEqual([]);
  });
}

fact("on a phone of 360 px no screen scrolls sideways and no text is cut or lies over another", async () => {
  const page = await open("/", { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  const wide: string[] = [];
  for (const [path, shows] of await listPaths()) {
    await visit(page, path, shows);
    const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (width > 0) wide.push(`${path} by ${width} px`);
    const faults = await Promise.all([findOverlaps(page), findClipped(page)]);
    for (const fault of faults.flat()) wide.push(`${path} ${fault}`);
  }
  expect(wide).toEqual([]);
});

fact("a new approval is on the overview within a second, in its count and in the title", async () => {
  const page = await open("/");
  await whenLive(page);
  const waits: number[] = [];
  // A machine that runs other tests too may be late by itself: the quickest is the page's.
  for (let round = 0; round < 10 && Math.min(...waits) >= 1_000; round++) {
    const task = await waitingTask({ text: "shown at once" });
    const startedAt = performance.now();
    const link = page.locator(`a[href="/approvals?sel=${task.id}"]`);
    await link.waitFor();
    waits.push(performance.now() - startedAt);
    await page.waitForFunction(() => {
      const count = /^\d+/.exec(document.querySelector("h1")?.textContent ?? "")?.[0];
      return document.title === `(${count}) Overview · Signalbox`;
    });
    await orchestrator(`/task/${task.id}/cancel`, { body: {} });
    await link.waitFor({ state: "detached" });
  }
  expect(Math.min(...waits)).toBeLessThan(1_000);
});

fact("what changed since it was read is not approved: 409, the difference, and then it passes", async () => {
  const task = await waitingTask({ text: "version one" });
  const page = await open(`/approvals?sel=${task.id}`);
  await page.getByRole("button", { name: "Approve version 1" }).waitFor();
  const change = { method: "PATCH", body: { ifVersion: 1, payload: { text: "version two" } } };
  // Between the press and its arrival somebody else changes it, and the page has not been told yet.
  const first = { times: 1 };
  await page.route(
    "**/approve",
    async (route) => {
      if (route.request().method() === "POST") await orchestrator(`/task/${task.id}`, change);
      await route.continue();
    },
    first,
  );
  await page.getByRole("button", { name: "Approve version 1" }).click();
  await page.getByText("This task changed while you were reading it.").waitFor();
  expect((await getTask(task.id)).events.map(({ kind }) => kind)).not.toContain("approved");
  expect(await page.getByRole("button", { name: "Approve version 1" }).isDisabled()).toBe(true);
  await page.getByRole("button", { name: "Show what changed" }).click();
  await page.getByLabel("What changed").getByText("version two").waitFor();
  await page.getByRole("button", { name: "Go on with version 2" }).click();
  await page.getByRole("button", { name: "Approve version 2" }).click();
  await eventually(async () => (await getTask(task.id)).status === "completed", { what: "the approved run" });
});

fact("what somebody else decided leaves the list, saying who it was", async () => {
  const task = await waitingTask({ text: "decided elsewhere" });
  const page = await open("/approvals");
  await whenLive(page);
  await page
    .getByRole("button", { name: /decides/ })
    .first()
    .waitFor();
  await orchestrator(`/task/${task.id}/approve`, { body: { ifVersion: 1 } });
  await page.locator(".approval-left").getByText(`by ${fleet.login.user}`).waitFor();
});

fact("by keyboard alone: from the overview to an approval and through it", async () => {
  const task = await waitingTask({ text: "by keyboard" });
  const page = await open("/");
  await whenLive(page);
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await page.waitForURL("**/approvals");
  const wanted = page.locator(".approval-row").filter({ hasText: "a person decides" });
  await wanted.waitFor();
  for (let step = 0; step < 5 && !(await wanted.evaluate((row) => row === document.activeElement)); step++)
    await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/approvals?sel=${task.id}`);
  await page.getByText('"by keyboard"').waitFor();
  const focused = page.getByRole("button", { name: "Approve version 1" }).and(page.locator(":focus"));
  await eventually(() => page.keyboard.press("a").then(async () => (await focused.count()) > 0), { what: "the focus" });
  await page.keyboard.press("Enter");
  await eventually(async () => (await getTask(task.id)).status === "completed", { what: "the approved run" });
});

fact("axe finds nothing in the dialogs either", async () => {
  const findings = await callService<{ items: { id: string }[] }>(fleet, "posthog-watcher", "/findings");
  const service = `/infra/${await findService("shop-web")}`;
  const finding = `/findings/${findings.items[0]?.id}`;
  const dialogs: [path: string, button: string][] = [
    ["/schedules", "New schedule"],
    ["/schedules", "Edit Nightly clean-up"],
    ["/schedules", "Delete Nightly clean-up"],
    ["/subscriptions", "New subscription"],
    [service, "Deploy"],
    [service, "Roll back"],
    [service, "Change environment"],
    [finding, "Snooze"],
    [finding, "Decline"],
    ["/findings?tab=monitors", "Edit signups"],
    ["/findings?tab=monitors", "New monitor"],
    ["/findings?tab=monitors", "Edit wakeups"],
    ["/infra?tab=drift", "Take all in"],
  ];
  const page = await open("/", { reducedMotion: "reduce" });
  const found: string[] = [];
  for (const [path, button] of dialogs) {
    if (page.url() !== fleet.dashboard.url + path) await page.goto(fleet.dashboard.url + path);
    await page.getByRole("button", { name: button, exact: true }).click();
    await page.getByRole("dialog").waitFor();
    for (const violation of await findViolations(page)) found.push(`${button}: ${violation}`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  expect(found).toEqual([]);
});

fact("a deploy is asked for, approved at the version on screen, and stands among the service's deploys", async () => {
  const id = await findService("shop-worker");
  const page = await open(`/infra/${id}`);
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await page.getByLabel("clearCache").check();
  await page.getByRole("button", { name: "Ask for approval" }).click();
  await page.getByRole("button", { name: "Approve version 1" }).waitFor();
  const payload = page.getByRole("region", { name: "Payload" });
  await payload.getByText("clearCache").waitFor();
  const taskId = page.url().split("/").at(-1) ?? "";
  await page.getByRole("button", { name: "Approve version 1" }).click();
  await eventually(async () => (await getTask(taskId)).status === "completed", {
    timeoutMs: 60_000,
    what: "the deploy",
  });
  await page.goto(`${fleet.dashboard.url}/infra/${id}`);
  await page.locator(`a[href="/tasks/${taskId}"]`).waitFor();
});

fact("a finding that is snoozed leaves the overview and returns on time", async () => {
  const page = await open("/");
  const item = page.getByRole("link", { name: /^Open Sign-ups/ });
  await item.waitFor();
  const path = "/findings?status=open&monitor=signups";
  const { items } = await callService<{ items: { id: string }[] }>(fleet, "posthog-watcher", path);
  const until = new Date(Date.now() + 6_000).toISOString();
  await callService(fleet, "posthog-watcher", `/findings/${items[0]?.id}/snooze`, { body: { until } });
  await page.reload();
  await page.getByRole("heading", { name: /needs? you/ }).waitFor();
  await item.waitFor({ state: "detached" });
  await item.waitFor();
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until) - 1_500);
});

fact("a declined finding keeps its reason", async () => {
  const { items } = await callService<{ items: { id: string }[] }>(fleet, "posthog-watcher", "/findings");
  const page = await open(`/findings/${items[0]?.id}`);
  await page.getByRole("button", { name: "Decline" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "expected" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Decline" }).click();
  await page.locator("#main").getByText("declined", { exact: true }).first().waitFor();
  expect((await callService<{ note: string }>(fleet, "posthog-watcher", `/findings/${items[0]?.id}`)).note).toBe(
    "expected",
  );
});

fact("an environment is changed through a task, and no value is in the page or its storage", async () => {
  const page = await open(`/infra/${await findService("shop-web")}?tab=env`);
  await page.getByRole("button", { name: "Change environment" }).click();
  await page.getByLabel("Key", { exact: true }).fill("PAYMENT_TOKEN");
  await page.getByLabel("New value").fill("s3cr3t-value-4711");
  await page.getByRole("button", { name: "Ask for approval" }).click();
  await page.getByRole("button", { name: "Approve version 1" }).waitFor();
  const held = await page.evaluate(
    () => document.documentElement.outerHTML + JSON.stringify(localStorage) + JSON.stringify(sessionStorage),
  );
  expect(held).toContain("PAYMENT_TOKEN");
  expect(held).not.toContain("s3cr3t-value-4711");
  const id = page.url().split("/").at(-1) ?? "";
  await page.getByRole("button", { name: "Approve version 1" }).click();
  await eventually(async () => (await getTask(id)).status === "completed", { timeoutMs: 30_000, what: "the change" });
});

fact("what has drifted can be taken in by a patch or put back by a plan, both read first", async () => {
  const page = await open("/infra?tab=drift");
  await page.getByText(/\d+ differences? in \d+ resources?\./).waitFor();
  await page.getByRole("button", { name: "Take all in" }).click();
  await page.getByRole("dialog").getByText("+++ b/infra/render.blueprint.yaml").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Put back service/signalbox-orchestrator" }).click();
  await page.getByRole("button", { name: /^Apply plan/ }).waitFor();
  await page.getByRole("region", { name: /^Plan/ }).getByText("service/signalbox-orchestrator").first().waitFor();
});

fact("a monitor is tried over the past month, made, and stands among the others", async () => {
  const page = await open("/findings?tab=monitors");
  await page.getByRole("button", { name: "New monitor" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("signups-again");
  await dialog.getByLabel("title").fill("Sign-ups, again");
  await dialog.getByLabel("event").fill("signed_up");
  await dialog.getByRole("button", { name: "Try it on the last 30 days" }).click();
  await dialog.getByText(/Sign-ups, again: down \d+ %/).waitFor();
  await dialog.getByRole("button", { name: "Make the monitor" }).click();
  await page.getByRole("row", { name: /^Sign-ups, again/ }).waitFor();
});

fact("a plan is read and applied by its id, and the next one has nothing to create", async () => {
  const page = await open("/infra?tab=plan");
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  const apply = page.getByRole("button", { name: /^Apply plan/ });
  const name = (await apply.textContent()) ?? "";
  await apply.click();
  await page.getByRole("dialog").getByRole("button", { name }).click();
  const state = page.locator("section", { hasText: "its task" }).locator("p.panel-body").first();
  await state.getByText(/^(done|failed)$/).waitFor({ timeout: 90_000 });
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  await page.getByRole("region", { name: /^(Plan|Nothing to do)/ }).waitFor();
  expect(await page.getByText(/\d+ to create/).count()).toBe(0);
});

fact("the fire that a schedule foretells is the one at which its task is due", async () => {
  const task = { type: "echo", payload: { text: "tick" } };
  const body = { name: "Every few seconds", cron: "*/6 * * * * *", timezone: "UTC", task };
  const { id } = await orchestrator<Schedule>("/schedules", { body });
  const page = await open("/schedules");
  const card = page.getByRole("region", { name: "Every few seconds" });
  const foretold = await card.locator("time").first().getAttribute("datetime");
  const fired = await eventually(
    async () => {
      const { lastTaskId } = await orchestrator<Schedule>(`/schedules/${id}`);
      const task = lastTaskId === null ? null : await getTask(lastTaskId);
      // The page may have come between the fire before and its task.
      return task !== null && task.runAt >= String(foretold) && task;
    },
    { timeoutMs: 20_000, what: "the task of the fire that was shown" },
  );
  expect(fired.runAt).toBe(foretold);
  await card.getByRole("button", { name: "Delete Every few seconds" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await card.waitFor({ state: "detached" });
});

fact("a schedule is made by its form, with the fires foretold", async () => {
  const page = await open("/schedules");
  await page.getByRole("button", { name: "New schedule" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Morning echo");
  await dialog.getByText("at 08:00 on weekdays").waitFor();
  await dialog.getByLabel("Task type").selectOption("echo");
  await dialog.getByRole("button", { name: "Make the schedule" }).click();
  const card = page.getByRole("region", { name: "Morning echo" });
  await card.getByText("at 08:00 on weekdays, Europe/Berlin").waitFor();
});

fact("one replay of a delivery makes one task, and opens it", async () => {
  const { items } = await orchestrator<{ items: { id: string; event: string }[] }>("/webhooks/deliveries?event=push");
  const count = async () => (await orchestrator<{ items: Task[] }>("/tasks?type=github.event")).items.length;
  const before = await count();
  const page = await open(`/deliveries?sel=${items[0]?.id}`);
  await page.getByRole("button", { name: "Replay" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Replay" }).click();
  await page.waitForURL("**/tasks/*");
  expect(await count()).toBe(before + 1);
});

fact("the figures of analytics are those of /tasks/stats", async () => {
  const page = await open("/analytics?window=1h");
  const stats = await orchestrator<{ success: { byType: Record<string, { completed: number; failed: number }> } }>(
    "/tasks/stats?window=1h",
  );
  const echo = stats.success.byType.echo ?? { completed: 0, failed: 0 };
  const row = page.getByRole("region", { name: "By type" }).locator(".rate").first();
  await row.getByText(`${echo.failed} of ${echo.completed + echo.failed} failed`).waitFor();
});

fact("an orchestrator that dies is told, and what was made before the page was back is there once", async () => {
  const page = await open("/tasks?type=echo");
  await whenLive(page);
  process.kill(fleet.services.orchestrator?.pid ?? 0, "SIGKILL");
  await page.getByRole("link", { name: /^(Reconnecting|Connecting)/ }).waitFor();
  const isUp = () =>
    fetch(`${fleet.services.orchestrator?.url}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually(isUp, { timeoutMs: 30_000, what: "the orchestrator's return" });
  const made: Task[] = [];
  for (let index = 0; index < 5; index++)
    made.push(await createTask(fleet, { type: "echo", payload: { text: `while away ${index}` } }));
  await whenLive(page);
  for (const { id } of made) {
    const row = page.locator(`.row-link[href="/tasks/${id}"]`);
    await row.waitFor();
    expect(await row.count()).toBe(1);
  }
});

fact("two tabs show the same tasks while fifty arrive, each once", async () => {
  const correlationId = "two-tabs";
  const first = await open(`/tasks?correlationId=${correlationId}`);
  const second = await first.context().newPage();
  await second.goto(first.url());
  await Promise.all([whenLive(first), whenLive(second)]);
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, index) => createTask(fleet, { type: "echo", payload: { index }, correlationId })),
  );
  for (const page of [first, second]) {
    // The heading counts every row, also those that are not in view.
    await page.getByText(`${made.length} matches loaded`).waitFor();
    const links = await page.locator(".row-link").evaluateAll((rows) => rows.map((row) => row.getAttribute("href")));
    expect(new Set(links).size).toBe(links.length);
  }
});

fact("somebody new finds what failed and why, and sees a task of their own run to its end", async () => {
  const page = await open("/");
  await page
    .getByRole("listitem")
    .filter({ hasText: "declined by its bank" })
    .getByRole("link", { name: /^Open/ })
    .click();
  await page.getByRole("region", { name: "Error" }).getByText("The card was declined by its bank").waitFor();
  await page.keyboard.press("c");
  await page.getByRole("radio", { name: /^echo/ }).check();
  await page.getByLabel("delayMs").fill("1200");
  await page.getByLabel("progressSteps").fill("4");
  await page.getByRole("button", { name: "Start echo" }).click();
  const step = page.getByText(/step \d of 4/);
  await step.first().waitFor();
  await page.getByRole("button", { name: "Retry" }).waitFor();
  await page.getByRole("region", { name: "Result" }).waitFor();
});

fact("all that match are canceled together, after the filter and the count were confirmed", async () => {
  const runAt = new Date(Date.now() + 3_600_000).toISOString();
  const correlationId = "bulk-of-12";
  for (let index = 0; index < 12; index++)
    await createTask(fleet, { type: "echo", payload: { index }, runAt, correlationId });
  const page = await open(`/tasks?correlationId=${correlationId}`);
  await page.locator(".row-link").first().focus();
  await page.keyboard.press("x");
  await page.getByRole("button", { name: "Cancel all that match" }).click();
  await page.getByRole("dialog").getByText(`correlation:${correlationId}: 12 tasks`).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel 12 tasks" }).click();
  await page.getByText("12 of 12 done.").waitFor();
  const { items } = await orchestrator<{ items: Task[] }>(`/tasks?correlationId=${correlationId}`);
  expect(new Set(items.map(({ status }) => status))).toEqual(new Set(["canceled"]));
});

fact("signing out empties the storage and closes the stream", async () => {
  const page = await open("/settings");
  await whenLive(page);
  expect(await page.evaluate(() => sessionStorage.length)).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: /Sign in/ }).waitFor();
  expect(await page.evaluate(() => sessionStorage.length + localStorage.length)).toBe(0);
});
