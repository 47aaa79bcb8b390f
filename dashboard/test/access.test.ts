import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { aTrace, toEvent, toTask, toWaiting } from "./records.ts";
import type { ScriptedFleet } from "./scripted-fleet.ts";
import { browserTest, type Stage } from "./stage.ts";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

type Violation = { id: string; nodes: { html: string; failureSummary: string }[] };

/** Runs axe in the page. It is evaluated, not added as a script, because the page's policy would refuse that. */
async function findViolations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } };
    return (await axe.run()).violations;
  });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
  );
}

const minute = 60_000;

/** A fleet with one of everything that the screens can show. */
function furnish(fleet: ScriptedFleet): string {
  const waiting = toWaiting({ payload: { serviceId: "srv-c7h2", nested: { list: [1, 2, { deep: true }] } } });
  fleet.store(waiting, toEvent(waiting, "approval_requested", { data: { reason: "signups are down" } }));
  fleet.readable(waiting.id);
  for (const status of ["queued", "running", "completed", "failed", "canceled"] as const) {
    const startedAt = new Date(Date.now() - minute).toISOString();
    fleet.store(
      toTask({
        status,
        startedAt,
        attempt: 1,
        error: status === "failed" ? { code: "boom", message: "It broke for good." } : null,
      }),
    );
  }
  for (const level of ["trace", "debug", "info", "warn", "error", "fatal"] as const) {
    fleet.log({
      level,
      message: `a ${level} record that is long enough to be cut where the row ends, on a phone at least`,
      taskId: waiting.id,
    });
  }
  const settings = [
    { key: "LOG_RETENTION_DAYS", status: "invalid", required: false, secret: false, message: "must be an integer" },
  ];
  fleet.logging.on("GET /config/validate", () => ({
    body: { service: "logging", ok: false, schemaHash: "abc", settings },
  }));
  return waiting.id;
}

async function visit(
  stage: Stage,
  look: (page: Page, path: string) => Promise<void>,
  options: Parameters<Stage["open"]>[1],
): Promise<void> {
  const id = furnish(stage.fleet);
  const paths = [
    "/",
    "/activity",
    "/tasks",
    `/tasks/${id}`,
    `/tasks/${id}?tab=logs`,
    `/tasks/${id}?tab=data`,
    "/new-task",
    "/logs",
    `/approvals?sel=${id}`,
    "/approvals?tab=decided",
    "/findings",
    "/infra",
    "/schedules",
    "/deliveries",
    "/subscriptions",
    "/agents",
    "/analytics",
    `/trace/${aTrace}`,
    "/config",
    "/settings",
    "/there-is-no-such-page",
  ];
  const page = await stage.open("/", options);
  for (const path of paths) {
    await page.goto(new URL(path, page.url()).href);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.getByText(/Loading/).waitFor({ state: "detached" });
    await look(page, path);
  }
}

for (const colorScheme of ["light", "dark"] as const) {
  browserTest(`every screen is free of what axe finds, ${colorScheme}`, async (stage) => {
    const found: string[] = [];
    const look = async (page: Page, path: string) => {
      for (const violation of await findViolations(page)) found.push(`${path} ${violation}`);
    };
    await visit(stage, look, { colorScheme, reducedMotion: "reduce" });

    expect(found).toEqual([]);
  });
}

browserTest("axe sees a spoilt colour, so that its silence means something", async (stage) => {
  const page = await stage.open("/settings", { reducedMotion: "reduce" });
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  await page.evaluate(() => document.documentElement.style.setProperty("--text-2", "#b9b8b2"));

  expect((await findViolations(page)).some((violation) => violation.startsWith("color-contrast"))).toBe(true);
});

browserTest("no screen scrolls sideways at 360 px", async (stage) => {
  const wide: string[] = [];
  const look = async (page: Page, path: string) => {
    const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    if ((width ?? 0) > (room ?? 0)) wide.push(`${path} is ${width} px wide`);
  };
  await visit(stage, look, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  expect(wide).toEqual([]);
});

browserTest("login and its error are free of what axe finds", async ({ open, expectComplaint }) => {
  expectComplaint(/401/);
  const page = await open("/", { signedIn: false, reducedMotion: "reduce" });
  await page.getByLabel("User").fill("operator");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The user or the password is not right.").waitFor();

  expect(await findViolations(page)).toEqual([]);
});

browserTest("dialogs are free of what axe finds", async (stage) => {
  const id = furnish(stage.fleet);
  const page = await stage.open(`/tasks/${id}`, { reducedMotion: "reduce" });
  await page.getByRole("button", { name: "Approve version 1" }).waitFor();
  const found: string[] = [];
  for (const key of ["Shift+C", "e", "?", "Control+k"]) {
    await page.keyboard.press(key);
    await page.getByRole("dialog").waitFor();
    for (const violation of await findViolations(page)) found.push(`${key} ${violation}`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }

  expect(found).toEqual([]);
});
