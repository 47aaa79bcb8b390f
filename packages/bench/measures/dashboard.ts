import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { findBrowser, launchBrowser } from "@signalbox/testing/browser.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import {
  openPage,
  type Page,
  readFirstPaintMs,
  timeKeys,
  type Watched,
  watchPage,
  weighPage,
} from "../dashboard/page-meter.ts";
import { startStandIn } from "../dashboard/stand-in.ts";
import { atLeast, atMost, type Finding, type Measure, type MeasureOptions, type Outcome, shown } from "../measure.ts";

const rowsHeld = 100_000;
const fillPerSecond = 5_000;
const perSecond = 1_000;
const spans = { usual: { watchMs: 30_000, steadyMs: 0 }, long: { watchMs: 60_000, steadyMs: 600_000 } };
const keysPressed = 40;

const about = `
A headless Chromium with software rendering, 1440 by 900, on the built page under its content policy. A server in this process stands
in for the fleet, so that the browser is measured and not a database: the files, empty lists, and one real WebSocket. Each
round is a browser profile of its own: the first paint of the overview; then the logs, filled with ${rowsHeld} records at
${fillPerSecond} a second, followed for ${spans.usual.watchMs / 1_000} s and then scrolled up for as long at ${perSecond} frames a second; with
\`--long\` both for ${spans.long.watchMs / 1_000} s, and the first round followed for ten more minutes, for its heap.
Frame times are those of \`requestAnimationFrame\`; the main thread's share is the browser's own count of its tasks
(\`Performance.getMetrics\`); the heap is read after a collection. A key is timed from its arrival to the task after the frame that
draws what it did, 95th of ${keysPressed}. Sizes are gzip -9 of the built files.
`;

type Round = {
  firstPaintMs: number;
  following: Watched;
  scrolled: Watched;
  movedPx: number;
  heap: { heapMb: number; elements: number };
  grownPercent: number;
  /** how far the heap has grown over ten further minutes; null where they were not taken */
  steadyPercent: number | null;
  keyMs: number;
};

export const dashboard: Measure = {
  name: "dashboard",
  summary: "The dashboard in a real browser: 100,000 rows held, 1,000 frames a second, first paint, sizes",
  about,
  async run(options) {
    const choice = await findBrowser();
    if (choice.kind === "none") {
      options.say(`left out: ${choice.reason}`);
      return { findings: [], versions: {} };
    }
    const files = await buildPage();
    const sizes = await readSizes(files);
    const browser = await launchBrowser(choice);
    try {
      const rounds: Round[] = [];
      for (let round = 1; round <= options.rounds; round++) {
        options.say(`round ${round} of ${options.rounds}`);
        const isSteady = options.isLong && round === 1;
        rounds.push(await measureRound(browser, files, { ...options, isSteady }));
      }
      return toOutcome(rounds, sizes, browser.version(), spanOf(options).watchMs);
    } finally {
      await browser.close();
    }
  },
};

async function buildPage(): Promise<string> {
  await promisify(execFile)(process.execPath, [join(repositoryRoot, "dashboard", "build.ts")]);
  return join(repositoryRoot, "dashboard", "dist");
}

type Sizes = { firstKb: number; allKb: number; stylesKb: number };

/** What the first load fetches stands in the page: its own script and those it announces. */
async function readSizes(files: string): Promise<Sizes> {
  const page = await readFile(join(files, "index.html"), "utf8");
  const names = (await readdir(join(files, "assets"))).filter((name) => /\.(?:js|css)$/.test(name));
  const sizes = new Map<string, number>();
  for (const name of names)
    sizes.set(name, gzipSync(await readFile(join(files, "assets", name)), { level: 9 }).length / 1024);
  const sum = (fits: (name: string) => boolean) =>
    [...sizes].reduce((total, [name, size]) => total + (fits(name) ? size : 0), 0);
  return {
    firstKb: sum((name) => name.endsWith(".js") && page.includes(name)),
    allKb: sum((name) => name.endsWith(".js")),
    stylesKb: sum((name) => name.endsWith(".css")),
  };
}

type Browser = Parameters<typeof openPage>[0];

const spanOf = ({ isLong }: MeasureOptions) => (isLong ? spans.long : spans.usual);

type RoundOptions = MeasureOptions & { isSteady: boolean };

async function measureRound(browser: Browser, files: string, options: RoundOptions): Promise<Round> {
  const { signal, isSteady } = options;
  const { watchMs, steadyMs } = spanOf(options);
  const standIn = await startStandIn(files);
  const page = await openPage(browser, standIn.url);
  try {
    const firstPaintMs = await readFirstPaintMs(page);
    await page.goto(`${standIn.url}/logs`);
    await page.getByText(/^Live/).first().waitFor();
    await standIn.send(fillPerSecond, (rowsHeld / fillPerSecond) * 1_000, signal);
    await waitForRows(page);
    const before = await weighPage(page);
    const following = await watchPage(page, () => standIn.send(perSecond, watchMs, signal));
    const followed = await weighPage(page);
    if (isSteady) await standIn.send(perSecond, steadyMs, signal);
    const steady = isSteady ? await weighPage(page) : null;
    const { scrolled, movedPx } = await watchScrolled(page, () => standIn.send(perSecond, watchMs, signal), signal);
    const heap = await weighPage(page);
    const keyMs = await timeKeys(page, "j", keysPressed);
    return {
      firstPaintMs,
      following,
      scrolled,
      movedPx,
      heap,
      grownPercent: growth(before.heapMb, followed.heapMb),
      steadyPercent: steady && growth(followed.heapMb, steady.heapMb),
      keyMs,
    };
  } finally {
    await page.context().close();
    await standIn.close();
  }
}

const growth = (before: number, after: number) => (100 * (after - before)) / before;

async function waitForRows(page: Page): Promise<void> {
  await page.waitForFunction((least) => {
    const text = document.querySelector(".page-sub")?.textContent ?? "";
    return Number(text.replace(/ record.*/, "").replaceAll(",", "")) >= least;
  }, rowsHeld * 0.98);
}

/** Scrolls up, and looks how far the row under the eye has moved by the end. */
async function watchScrolled(page: Page, send: () => Promise<number>, signal: AbortSignal) {
  await page.evaluate(() => {
    const list = document.querySelector(".list");
    if (list) list.scrollTop -= 20_000;
  });
  await delay(500, undefined, { signal });
  const read = () =>
    page.evaluate(() => {
      const list = document.querySelector(".list")?.getBoundingClientRect();
      const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
      const row = rows.find((one) => one.getBoundingClientRect().top >= (list?.top ?? 0) + 100);
      return { text: row?.textContent ?? "", top: row?.getBoundingClientRect().top ?? Number.NaN };
    });
  const before = await read();
  const scrolled = await watchPage(page, send);
  const after = await read();
  // Another row under the same place is as bad as one that moved out of view.
  const movedPx = after.text === before.text ? Math.abs(after.top - before.top) : 10_000;
  return { scrolled, movedPx };
}

function toSizeFindings({ firstKb, allKb, stylesKb }: Sizes): Finding[] {
  return [
    atMost(45, "script of the first load, gzip", "KB", [firstKb]),
    atMost(130, "all scripts, gzip", "KB", [allKb]),
    atMost(12, "styles, gzip", "KB", [stylesKb]),
  ];
}

function toWatchedFindings(name: string, watched: readonly Watched[]): Finding[] {
  return [
    atLeast(
      55,
      `${name}: frames drawn`,
      "fps",
      watched.map(({ fps }) => fps),
    ),
    atMost(
      34,
      `${name}: frame time, 99th of 100`,
      "ms",
      watched.map(({ p99Ms }) => p99Ms),
    ),
    atMost(
      70,
      `${name}: main thread busy`,
      "%",
      watched.map(({ busyPercent }) => busyPercent),
    ),
  ];
}

/** How long frames were sent at the set pace. */
const sentMs = (watchMs: number, isSteady: boolean) => 2 * watchMs + (isSteady ? spans.long.steadyMs : 0);

function toOutcome(rounds: readonly Round[], sizes: Sizes, browser: string, watchMs: number): Outcome {
  const steady = rounds.flatMap(({ steadyPercent }) => steadyPercent ?? []);
  const of = (pick: (round: Round) => number) => rounds.map(pick);
  const findings: Finding[] = [
    ...toSizeFindings(sizes),
    atMost(
      300,
      "first contentful paint",
      "ms",
      of(({ firstPaintMs }) => firstPaintMs),
    ),
    ...toWatchedFindings(
      "following",
      rounds.map(({ following }) => following),
    ),
    ...toWatchedFindings(
      "scrolled up",
      rounds.map(({ scrolled }) => scrolled),
    ),
    atMost(
      0,
      "scrolled up: the row in view has moved",
      "px",
      of(({ movedPx }) => movedPx),
    ),
    atMost(
      120,
      "heap with 100,000 rows",
      "MB",
      of(({ heap }) => heap.heapMb),
    ),
    atMost(
      5,
      `heap grown by ${((watchMs / 1_000) * perSecond).toLocaleString("en-GB")} further frames`,
      "%",
      of(({ grownPercent }) => grownPercent),
    ),
    ...(steady.length > 0 ? [atMost(5, "heap grown by ten minutes of following", "%", steady)] : []),
    atMost(
      3_000,
      "elements in the document",
      "elements",
      of(({ heap }) => heap.elements),
    ),
    atMost(
      50,
      "key to paint, 95th of 100",
      "ms",
      of(({ keyMs }) => keyMs),
    ),
    shown(
      "frames sent in a round",
      "frames",
      rounds.map(({ steadyPercent }) => rowsHeld + (sentMs(watchMs, steadyPercent !== null) / 1_000) * perSecond),
    ),
  ];
  return { findings, versions: { Chromium: browser } };
}
