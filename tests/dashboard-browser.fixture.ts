import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { findBrowser, launchBrowser } from "@signalbox/testing/browser.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callService, createTask, type Rehearsal, readRehearsal, tellStory } from "./dashboard-story.fixture.ts";
import { fleetPlace, runStart } from "./fleet.fixture.ts";

/* A whole fleet in rehearsal that has been told a day, with a real browser before its dashboard. */

type Browser = Awaited<ReturnType<typeof launchBrowser>>;
export type Page = Awaited<ReturnType<Browser["newPage"]>>;
type Options = Parameters<Browser["newContext"]>[0];

const choice = await findBrowser();
const opened: { close: () => Promise<void> }[] = [];
const complaints: string[] = [];
let browser: Browser;
export let fleet: Rehearsal;
let stop: () => Promise<void> = async () => undefined;

beforeAll(async () => {
  if (choice.kind === "none") return;
  const place = await fleetPlace();
  const started = runStart(place, {}, ["--rehearse"]);
  stop = async () => {
    await started[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
  await started.says(/Ready after/, 120_000);
  fleet = await readRehearsal(place.home);
  await tellStory(fleet);
  browser = await launchBrowser(choice);
}, 240_000);

afterAll(async () => {
  await browser?.close();
  await stop();
}, 60_000);

export async function open(path: string, options: Options = {}): Promise<Page> {
  const context = await browser.newContext({
    ...{ locale: "en-GB", timezoneId: "Europe/Berlin", viewport: { width: 1280, height: 800 } },
    ...options,
  });
  opened.push(context);
  context.setDefaultTimeout(45_000);
  await context.addInitScript(
    (held) => {
      if (sessionStorage.getItem("left") === null) sessionStorage.setItem("signalbox.auth", JSON.stringify(held));
    },
    { user: fleet.login.user, token: fleet.token },
  );
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(fleet.dashboard.url + path);
  await page.getByRole("heading", { level: 1 }).waitFor();
  return page;
}

/** Goes to an address and waits for what it is for; the failure says which it was, and what was there instead. */
export async function visit(page: Page, path: string, shows: string | RegExp): Promise<void> {
  await page.goto(fleet.dashboard.url + path);
  const main = page.locator("#main");
  try {
    await main.getByText(shows).first().waitFor();
  } catch (cause) {
    throw new Error(`${path} does not show ${shows}, but: ${(await main.textContent())?.slice(0, 600)}`, { cause });
  }
}

export const whenLive = (page: Page) => page.getByRole("link", { name: /^Live/ }).waitFor();

/** One fact; without a browser it is left out by name. */
export function fact(title: string, run: () => Promise<void>): void {
  if (choice.kind === "none") {
    test(`left out, ${choice.reason}: ${title}`, () => expect(process.platform).not.toBe("linux"));
    return;
  }
  test(title, async () => {
    try {
      await run();
      // What the network says of an answer that a check provoked is no fault of the page.
      expect(
        complaints.filter(
          (text) =>
            !/status of 409|ERR_(?:CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE)|WebSocket connection to/.test(
              text,
            ),
        ),
      ).toEqual([]);
    } finally {
      complaints.length = 0;
      for (const context of opened.splice(0)) await context.close();
    }
  }, 120_000);
}

export const orchestrator = <T>(path: string, options = {}) => callService<T>(fleet, "orchestrator", path, options);
export const getTask = (id: string) => orchestrator<Task & { events: TaskEvent[] }>(`/task/${id}`);
export const waitingTask = (payload: object, type = "echo") =>
  createTask(fleet, { type, payload, approval: { required: true, reason: "a person decides" } });

export const findService = async (wanted: string) => {
  type Services = { items: { id: string; name: string }[] };
  const { items } = await callService<Services>(fleet, "renderctl", "/render/services");
  return items.find(({ name }) => name === wanted)?.id;
};

const axeSource = readFileSync(
  createRequire(join(repositoryRoot, "dashboard", "package.json")).resolve("axe-core/axe.min.js"),
  "utf8",
);

export async function findViolations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    type Violation = { id: string; nodes: { html: string }[] };
    const { axe } = globalThis as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
  });
}

type Box = { text: string; left: number; right: number; top: number; bottom: number };

/** Where the texts and buttons of each heading, row and bar are. */
function readBoxes(page: Page): Promise<Box[][]> {
  return page.evaluate(() => {
    const bars = ".panel-head, .page-head, .actions, .needs-item, .finding-row, .approval-row, .step-head, .rate";
    const isText = (element: Element) => element.children.length === 0 && (element.textContent ?? "").trim() !== "";
    const isShown = (element: Element) =>
      element.checkVisibility({ opacityProperty: true }) && !element.closest(".hidden, svg");
    const isInside = (element: Element) => Boolean(element.parentElement?.closest("button, .button"));
    const isLeaf = (element: Element) =>
      (element.matches("button, .button") || isText(element)) && !isInside(element) && isShown(element);
    return [...document.querySelectorAll(bars)].map((bar) =>
      [...bar.querySelectorAll("*")].filter(isLeaf).flatMap((leaf) =>
        // A text that runs over two lines has a box in each.
        [...leaf.getClientRects()].map(({ left, right, top, bottom }) => {
          return { text: leaf.textContent ?? "", left, right, top, bottom };
        }),
      ),
    );
  });
}

function doOverlap(one: Box, other: Box): boolean {
  const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  return width > 2 && height > 6;
}

/** Texts that lie over each other, which no tool for accessibility sees. */
export async function findOverlaps(page: Page): Promise<string[]> {
  return (await readBoxes(page)).flatMap((boxes) =>
    boxes.flatMap((one, index) =>
      boxes
        .slice(index + 1)
        .filter((other) => doOverlap(one, other))
        .map((other) => `“${one.text}” over “${other.text}”`),
    ),
  );
}

/** Texts that are cut without a sign of it: what is cut on purpose ends in dots, or in a box that scrolls. */
export function findClipped(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const isText = (element: Element) =>
      [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue?.trim());
    const isCut = (element: Element) => {
      const { overflowX, textOverflow } = getComputedStyle(element);
      if (/auto|scroll/.test(overflowX) || textOverflow === "ellipsis") return false;
      return overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1;
    };
    return [...document.querySelectorAll("body *")]
      .filter(
        (element) =>
          isText(element) && isCut(element) && element.checkVisibility() && !element.closest(".hidden, svg, select"),
      )
      .map((element) => `cut: “${(element.textContent ?? "").trim().slice(0, 80)}”`);
  });
}

/** What a mouse can press and a keyboard cannot reach. A row's box has the key `x`, and a bar its row's name. */
export function findUnreachable(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const controls = document.querySelectorAll<HTMLElement>(
      "a[href], button, input, select, textarea, summary, [onclick]",
    );
    const isShown = (element: HTMLElement) => element.checkVisibility() && !element.closest("[aria-hidden=true]");
    return [...controls]
      .filter((element) => isShown(element) && element.tabIndex < 0 && !element.matches(".row-check"))
      .map((element) => `not by keyboard: ${element.outerHTML.slice(0, 120)}`);
  });
}

/** Every screen with an address that shows something, and what it shows. */
export async function listPaths(): Promise<[path: string, shows: string | RegExp][]> {
  const failed = (await orchestrator<{ items: Task[] }>("/tasks?status=failed")).items[0];
  const findings = await callService<{ items: { id: string }[] }>(fleet, "posthog-watcher", "/findings");
  const services = await callService<{ items: { id: string }[] }>(fleet, "renderctl", "/render/services");
  const deliveries = await orchestrator<{ items: { id: string }[] }>("/webhooks/deliveries");
  return [
    ["/", /needs? you/],
    ["/activity", /From here on live/],
    ["/approvals", "What it will do"],
    ["/approvals?tab=decided", /decisions? among/],
    ["/findings?status=open", /Sign-ups: down/],
    [`/findings/${findings.items[0]?.id}`, "What happened near it"],
    ["/findings?tab=monitors", "Page views"],
    ["/tasks?status=failed", "The card was declined by its bank"],
    [`/tasks/${failed?.id}?tab=events`, "Events with their data"],
    [`/trace/${failed?.traceId}`, "What happened"],
    ["/new-task?type=render.deploy", "Start render.deploy"],
    ["/schedules", "Nightly clean-up"],
    [`/deliveries?sel=${deliveries.items[0]?.id}`, "Rules"],
    ["/subscriptions", "https://hooks.example.com/signalbox"],
    ["/logs?level=warn", /The card was declined/],
    ["/analytics?window=1h", "Wait and run times"],
    ["/infra?name=shop-api", "shop-api.onrender.com"],
    [`/infra/${services.items[0]?.id}?tab=env`, "LOG_LEVEL"],
    ["/infra?tab=drift", "service/signalbox-orchestrator"],
    ["/infra?tab=plan", "Nothing is planned"],
    ["/infra?tab=repairs", "No build has needed a repair"],
    ["/agents?sel=renderctl", "render.deploy.cancel"],
    ["/config", "posthog-watcher"],
    ["/settings", "Live connection"],
  ];
}
