import type { launchBrowser } from "@signalbox/testing/browser.ts";
import { quantile } from "../statistics.ts";

type Browser = Awaited<ReturnType<typeof launchBrowser>>;
export type Page = Awaited<ReturnType<Browser["newPage"]>>;

/** What a page did while something went on: drawn frames, and how busy its main thread was. */
export type Watched = { fps: number; p99Ms: number; busyPercent: number };

/** A page signed in before the stand-in, with a profile of its own. */
export async function openPage(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext({
    ...{ locale: "en-GB", timezoneId: "Europe/Berlin", viewport: { width: 1440, height: 900 } },
  });
  await context.addInitScript(() => {
    sessionStorage.setItem("signalbox.auth", JSON.stringify({ user: "bench", token: "YmVuY2g6YmVuY2g=" }));
  });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

async function openMeter(page: Page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const read = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
    return { taskSeconds: of("TaskDuration"), atSeconds: of("Timestamp") };
  };
  return { session, read };
}

/** Watches the page while `run` goes on. */
export async function watchPage(page: Page, run: () => Promise<unknown>): Promise<Watched> {
  const { session, read } = await openMeter(page);
  await page.evaluate(() => {
    const held = globalThis as unknown as { intervals: number[]; isWatching: boolean };
    held.intervals = [];
    held.isWatching = true;
    let last = performance.now();
    const frame = (now: number) => {
      held.intervals.push(now - last);
      last = now;
      if (held.isWatching) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const before = await read();
  await run();
  const after = await read();
  const intervals = await page.evaluate(() => {
    const held = globalThis as unknown as { intervals: number[]; isWatching: boolean };
    held.isWatching = false;
    return held.intervals.slice(1);
  });
  await session.detach();
  const seconds = after.atSeconds - before.atSeconds;
  return {
    fps: intervals.length / (intervals.reduce((sum, ms) => sum + ms, 0) / 1000),
    p99Ms: quantile(intervals, 0.99),
    busyPercent: (100 * (after.taskSeconds - before.taskSeconds)) / seconds,
  };
}

/** The heap after a collection, and how many elements the document has. */
export async function weighPage(page: Page): Promise<{ heapMb: number; elements: number }> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.enable");
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  return { heapMb: usedSize / 1024 / 1024, elements };
}

export function readFirstPaintMs(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const found = performance.getEntriesByName("first-contentful-paint")[0];
        if (found) return resolve(found.startTime);
        new PerformanceObserver((list) => {
          const entry = list.getEntriesByName("first-contentful-paint")[0];
          if (entry) resolve(entry.startTime);
        }).observe({ type: "paint", buffered: true });
      }),
  );
}

/** From a key's arrival in the page to the frame after the one that draws what it did. */
export async function timeKeys(page: Page, key: string, times: number): Promise<number> {
  await page.evaluate(() => {
    const held = globalThis as unknown as { keyMs: number[] };
    held.keyMs = [];
    document.addEventListener(
      "keydown",
      (event) => requestAnimationFrame(() => setTimeout(() => held.keyMs.push(performance.now() - event.timeStamp))),
      true,
    );
  });
  for (let count = 0; count < times; count++) {
    await page.keyboard.press(key);
    await page.waitForFunction((wanted) => (globalThis as unknown as { keyMs: number[] }).keyMs.length > wanted, count);
  }
  const measured = await page.evaluate(() => (globalThis as unknown as { keyMs: number[] }).keyMs);
  return quantile(measured, 0.95);
}
