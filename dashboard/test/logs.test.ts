import type { Page } from "playwright-core";
import { expect } from "vitest";
import type { ScriptedFleet } from "./scripted-fleet.ts";
import { browserTest } from "./stage.ts";

browserTest("a paused tail keeps its picture and hides nothing: going on shows what GET /logs has", async (stage) => {
  const { fleet, open } = stage;
  for (let number = 0; number < 30; number++) fleet.log({ message: `before ${number}` });
  const page = await open("/logs");
  await page.getByText("before 29").waitFor();
  await fleet.connected();
  await page.keyboard.press("Space");
  await page.getByRole("link", { name: /^Paused at/ }).waitFor();
  for (let number = 0; number < 40; number++) fleet.log({ message: `while paused ${number}` });
  await page.getByRole("button", { name: "40 new, jump to now" }).waitFor();
  expect(await page.getByText("while paused").count()).toBe(0);
  await page.keyboard.press(".");
  await page.getByText("while paused 39").waitFor();

  await page.getByText(`${fleet.logs.length} records loaded`).waitFor();
  const shown = await page.locator("[data-row] .line-text").allTextContents();
  const stored = fleet.logs.map(({ message }) => message);
  expect(stored.slice(-shown.length)).toEqual(shown.map((text) => text.trim()));
});

/** An hour with two bars: errors at a quarter of it, warnings at three. */
function scriptHour(fleet: ScriptedFleet) {
  const untilMs = Date.now();
  const at = (share: number) => new Date(untilMs - (1 - share) * 3_600_000).toISOString();
  fleet.logging.on("GET /logs/stats", () => ({
    body: {
      ...{ since: at(0), until: at(1), bucketSeconds: 60, rows: 12 },
      buckets: [
        { at: at(0.25), rows: 8, levels: { info: 7, error: 1 } },
        { at: at(0.75), rows: 4, levels: { warn: 4 } },
      ],
    },
  }));
  return at;
}

async function findHistogram(page: Page) {
  const box = await page.getByRole("img", { name: "12 records in 1 h, 1 of them errors" }).boundingBox();
  if (!box) throw new Error("the histogram has no place");
  return box;
}

browserTest("dragging over the histogram fixes the range, and live is off, visibly", async ({ fleet, open }) => {
  const at = scriptHour(fleet);
  const page = await open("/logs");
  const box = await findHistogram(page);
  await page.mouse.move(box.x + box.width * 0.2, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20, { steps: 4 });
  await page.mouse.up();
  await page.getByText("this range is fixed, so nothing is added").waitFor();

  const search = new URL(page.url()).searchParams;
  expect(Math.abs(Date.parse(search.get("since") ?? "") - Date.parse(at(0.2)))).toBeLessThan(20_000);
  expect(Math.abs(Date.parse(search.get("until") ?? "") - Date.parse(at(0.5)))).toBeLessThan(20_000);
});

browserTest("a click on a bar opens the logs of its time, one beside the bars nothing", async ({ fleet, open }) => {
  const at = scriptHour(fleet);
  const page = await open("/logs");
  const box = await findHistogram(page);
  await page.mouse.click(box.x + box.width * 0.5, box.y + 30);
  expect(new URL(page.url()).search).toBe("");
  await page.mouse.click(box.x + box.width * (0.25 + 0.5 / 60), box.y + 5);
  await page.getByText("this range is fixed, so nothing is added").waitFor();

  const search = new URL(page.url()).searchParams;
  expect([search.get("since"), Date.parse(search.get("until") ?? "")]).toEqual([
    at(0.25),
    Date.parse(at(0.25)) + 60_000,
  ]);
});

browserTest("a record leads to what was logged around it", async ({ fleet, open }) => {
  fleet.log({ message: "the one in question", level: "error" });
  const page = await open("/logs");
  await page.getByText("the one in question").click();
  await page.getByRole("link", { name: /around/i }).click();

  await page.waitForURL(/since=.*until=|until=.*since=/);
});
