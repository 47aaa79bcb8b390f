import type { Page } from "playwright-core";
import { expect } from "vitest";
import { toTask } from "./records.ts";
import { browserTest } from "./stage.ts";

/** The texts of every row of a tail, read from its start to its end through its window. */
async function readAll(page: Page, label: string): Promise<string[]> {
  return await page
    .getByLabel(label, { exact: true })
    .first()
    .evaluate(async (scroller) => {
      const rows = new Map<number, string>();
      const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      for (let top = 0; ; top += scroller.clientHeight / 2) {
        scroller.scrollTo(0, top);
        await frame();
        for (const row of scroller.querySelectorAll<HTMLElement>("[data-row]"))
          rows.set(Number(row.dataset.row), row.textContent ?? "");
        if (top + scroller.clientHeight >= scroller.scrollHeight) break;
      }
      return [...rows].sort(([left], [right]) => left - right).map(([, text]) => text);
    });
}

browserTest("tasks and logs appear in one list, in the order of the stream", async ({ fleet, open }) => {
  const page = await open("/activity");
  await fleet.connected();
  fleet.log({ message: "before" });
  fleet.put(toTask({ type: "between" }), "created");
  fleet.log({ message: "after" });
  await page.getByRole("row", { name: /after/ }).waitFor();

  const rows = await page.getByRole("row").allInnerTexts();
  const found = rows.map((text) => ["before", "between", "after"].find((word) => text.includes(word)));
  expect(found.filter((word) => word !== undefined)).toEqual(["before", "between", "after"]);
});

browserTest("the socket dies while 500 frames are made: each appears once, in order", async ({ fleet, open }) => {
  const page = await open("/activity?types=log");
  await fleet.connected();
  for (let index = 0; index < 500; index++) {
    fleet.log({ message: `record ${index}.` });
    if (index === 120 || index === 300) fleet.dropSockets();
    if (index === 80) fleet.repeat(20);
  }
  await page.getByRole("row", { name: /record 499\./ }).waitFor();

  const numbers = (await readAll(page, "Activity")).flatMap((text) => /record (\d+)\./.exec(text)?.[1] ?? []);
  expect(numbers).toEqual(Array.from({ length: 500 }, (_, index) => String(index)));
  expect(fleet.handshakes).toBeGreaterThan(1);
});

browserTest("a flood of 12,000 records is held whole, by a document that stays small", async ({ fleet, open }) => {
  const page = await open("/logs");
  await fleet.connected();
  await page.getByText("No logs yet").waitFor();
  for (let index = 0; index < 12_000; index++) fleet.log({ message: `flood ${index}.` });
  await page.getByText("12,000 records loaded").waitFor({ timeout: 40_000 });
  await page.getByRole("row", { name: /flood 11999\./ }).waitFor();
  expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThanOrEqual(3_000);
  await page
    .getByLabel("Logs", { exact: true })
    .first()
    .evaluate((scroller) => scroller.scrollTo(0, 0));

  await page.getByRole("row", { name: /flood 0\./ }).waitFor();
});

browserTest("scrolling away pauses: no row in view moves, and the pill leads back to now", async ({ fleet, open }) => {
  for (let index = 0; index < 200; index++) fleet.log({ message: `old ${index}.` });
  const page = await open("/logs");
  await fleet.connected();
  await page.getByRole("row", { name: /old 199\./ }).waitFor();
  const scroller = page.getByLabel("Logs", { exact: true }).first();
  await scroller.hover();
  await page.mouse.wheel(0, -1_000);
  await page.getByRole("button", { name: "Paused, follow again" }).waitFor();
  const row = page.getByRole("row", { name: /old 1[45]\d\./ }).first();
  const [name, before] = [await row.textContent(), await row.boundingBox()];
  for (let index = 0; index < 300; index++) fleet.log({ message: `new ${index}.` });
  await page.getByRole("button", { name: "300 new, jump to now" }).waitFor();

  expect([await row.textContent(), await row.boundingBox()]).toEqual([name, before]);
  await page.getByText("Paused at").waitFor();
  await page.getByRole("button", { name: "300 new, jump to now" }).click();
  await page.getByRole("row", { name: /new 299\./ }).waitFor();
});

browserTest("Space pauses and goes on", async ({ fleet, open }) => {
  const page = await open("/activity");
  await fleet.connected();
  fleet.log({ message: "one" });
  await page.getByRole("row", { name: /one/ }).waitFor();
  await page.keyboard.press("Space");
  fleet.log({ message: "two" });
  await page.getByRole("button", { name: "1 new, jump to now" }).waitFor();
  expect(await page.getByRole("row", { name: /two/ }).count()).toBe(0);
  await page.keyboard.press("Space");

  await page.getByRole("row", { name: /two/ }).waitFor();
});

browserTest("a loss is a row, and what is stored can be loaded into it", async ({ fleet, open }) => {
  const page = await open("/activity");
  await fleet.connected();
  fleet.log({ message: "seen before" });
  await page.getByRole("row", { name: /seen before/ }).waitFor();
  fleet.refuseSockets = true;
  fleet.dropSockets();
  fleet.log({ message: "missed" });
  fleet.forgetFrames();
  fleet.refuseSockets = false;
  await page.getByRole("row", { name: /1 record was skipped/ }).waitFor();
  await page.getByRole("button", { name: "Load what is stored" }).click();

  await page.getByRole("row", { name: /missed/ }).waitFor();
  expect(await page.getByRole("row", { name: /skipped/ }).count()).toBe(0);
});

browserTest("one task's progress is one row that counts", async ({ fleet, open }) => {
  const page = await open("/activity");
  await fleet.connected();
  const task = fleet.put(toTask({ status: "running", attempt: 1 }), "started");
  for (let step = 1; step <= 9; step++)
    fleet.put({ ...task, version: 1 + step }, "progress", { message: `step ${step} of 9` });
  await page.getByRole("row", { name: /9× step 9 of 9/ }).waitFor();

  expect(await page.getByRole("row", { name: /progress/ }).count()).toBe(1);
});

browserTest("the page says that it is not live, and comes back by itself", async ({ fleet, open, expectComplaint }) => {
  expectComplaint(/WebSocket|404/);
  const page = await open("/activity");
  await fleet.connected();
  await page.getByRole("link", { name: /^Live/ }).waitFor();
  fleet.refuseSockets = true;
  fleet.dropSockets();
  await page.getByText("Not live since").waitFor();
  fleet.refuseSockets = false;
  await page.getByRole("button", { name: "Try now" }).click();

  await page.getByRole("link", { name: /^Live/ }).waitFor();
  await page.getByText("Not live since").waitFor({ state: "detached" });
});

browserTest("logging being away costs the logs, not the tasks", async ({ fleet, open, expectComplaint }) => {
  expectComplaint(/503/);
  fleet.store(toTask({ type: "still-here" }));
  const error = { error: { code: "unavailable", message: "Logging is restarting." } };
  fleet.logging.on("GET /logs", () => ({ status: 503, body: error }));
  const page = await open("/activity");

  await page.getByText("Logging is restarting.").waitFor();
  await page.getByRole("row", { name: /still-here/ }).waitFor();
});
