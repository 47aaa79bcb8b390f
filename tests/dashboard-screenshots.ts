import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { findBrowser, launchBrowser } from "@signalbox/testing/browser.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { callService, type Rehearsal, readRehearsal, tellStory } from "./dashboard-story.fixture.ts";
import { fleetPlace, runStart } from "./fleet.fixture.ts";

/*
 * Photographs every screen of the dashboard in both themes and two widths into docs/screenshots, on a rehearsal that has been told
 * a day: `node tests/dashboard-screenshots.ts [screen…]`. With --home a rehearsal that runs already is used, as it is.
 */

type Browser = Awaited<ReturnType<typeof launchBrowser>>;
type Page = Awaited<ReturnType<Browser["newPage"]>>;
type Shot = { name: string; path: string; prepare?: (page: Page) => Promise<void> };

/** Half the size of PNG, and every browser shows it. */
const format = "webp";
const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

async function findTask(fleet: Rehearsal, query: string): Promise<Task | undefined> {
  const { items } = await callService<{ items: Task[] }>(fleet, "orchestrator", `/tasks?${query}`);
  return items[0];
}

async function listShots(fleet: Rehearsal): Promise<Shot[]> {
  const [failed, running, waiting] = await Promise.all([
    findTask(fleet, "status=failed&q=invoice"),
    findTask(fleet, "status=running"),
    findTask(fleet, "status=waiting&type=render.rollback"),
  ]);
  const parent = await findTask(fleet, "q=import%20suppliers");
  const { items: findings } = await callService<{ items: { id: string }[] }>(fleet, "posthog-watcher", "/findings");
  const { items: services } = await callService<{ items: { id: string; name: string }[] }>(
    fleet,
    "renderctl",
    "/render/services",
  );
  const { items: deliveries } = await callService<{ items: { id: string; event: string }[] }>(
    fleet,
    "orchestrator",
    "/webhooks/deliveries",
  );
  const push = deliveries.find(({ event }) => event === "push");
  const plan = async (page: Page) => {
    await page.getByRole("button", { name: "Plan", exact: true }).click();
    await page.getByRole("button", { name: /^Apply plan/ }).waitFor();
  };
  return [
    { name: "overview", path: "/" },
    { name: "activity", path: "/activity" },
    { name: "approvals", path: `/approvals?sel=${waiting?.id}` },
    { name: "findings", path: "/findings" },
    { name: "finding", path: `/findings/${findings[0]?.id}` },
    { name: "monitors", path: "/findings?tab=monitors" },
    { name: "tasks", path: "/tasks" },
    { name: "task-failed", path: `/tasks/${failed?.id}` },
    { name: "task-running", path: `/tasks/${running?.id}` },
    { name: "trace", path: `/trace/${parent?.traceId}` },
    { name: "new-task", path: "/new-task?type=echo" },
    { name: "schedules", path: "/schedules" },
    { name: "deliveries", path: `/deliveries?sel=${push?.id}` },
    { name: "subscriptions", path: "/subscriptions" },
    { name: "logs", path: "/logs" },
    { name: "analytics", path: "/analytics?window=1h" },
    { name: "infra", path: "/infra" },
    { name: "infra-service", path: `/infra/${services.find(({ name }) => name === "shop-api")?.id}` },
    { name: "infra-drift", path: "/infra?tab=drift" },
    { name: "infra-plan", path: "/infra?tab=plan", prepare: plan },
    { name: "agents", path: "/agents" },
    { name: "config", path: "/config" },
    { name: "settings", path: "/settings" },
  ];
}

async function settle(page: Page, { prepare }: Shot): Promise<void> {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.getByText(/^Live/).first().waitFor();
  await prepare?.(page);
  await page.waitForLoadState("networkidle");
  await page.waitForFunction(() => !document.querySelector("[role=status][aria-label=Loading]"));
}

async function photograph(browser: Browser, fleet: Rehearsal, shots: readonly Shot[], folder: string): Promise<number> {
  let bytes = 0;
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [device, viewport] of Object.entries(sizes)) {
      const context = await browser.newContext({
        ...{ colorScheme, viewport, locale: "en-GB", timezoneId: "Europe/Berlin", reducedMotion: "reduce" },
        ...(device === "phone" && { isMobile: true, hasTouch: true }),
      });
      const held = { user: fleet.login.user, token: fleet.token };
      await context.addInitScript((value) => sessionStorage.setItem("signalbox.auth", JSON.stringify(value)), held);
      const page = await context.newPage();
      const session = await context.newCDPSession(page);
      for (const shot of shots) {
        await page.goto(fleet.dashboard.url + shot.path);
        await settle(page, shot);
        const { data } = await session.send("Page.captureScreenshot", { format, quality: 82 });
        const image = Buffer.from(data, "base64");
        bytes += image.length;
        await writeFile(join(folder, `${shot.name}-${colorScheme}-${device}.${format}`), image);
      }
      await context.close();
    }
  }
  return bytes;
}

async function withRehearsal(home: string | undefined, run: (fleet: Rehearsal) => Promise<void>): Promise<void> {
  if (home !== undefined) return await run(await readRehearsal(home));
  await using place = await fleetPlace();
  await using fleet = runStart(place, {}, ["--rehearse"]);
  await fleet.says(/Ready after/, 120_000);
  const rehearsal = await readRehearsal(place.home);
  await tellStory(rehearsal);
  await run(rehearsal);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { home: { type: "string" }, out: { type: "string" } },
});
const choice = await findBrowser();
if (choice.kind === "none") throw new Error(choice.reason);
const folder = values.out ?? join(repositoryRoot, "docs", "screenshots");
if (positionals.length === 0) await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
await withRehearsal(values.home, async (fleet) => {
  const browser = await launchBrowser(choice);
  const shots = (await listShots(fleet)).filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const bytes = await photograph(browser, fleet, shots, folder);
  await browser.close();
  process.stdout.write(`${shots.length * 4} pictures, ${(bytes / 1024 / 1024).toFixed(1)} MB, in ${folder}\n`);
});
