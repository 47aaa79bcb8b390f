import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrowser, launchBrowser } from "@signalbox/testing/browser.ts";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { type Built, buildDashboard } from "../build.ts";
import { buildHeaders, cacheControl } from "../policy.ts";
import { ScriptedFleet } from "./scripted-fleet.ts";
import { basic, credentials } from "./scripted-service.ts";

const types: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
};

/** The built page, served as a static host serves it: strict headers, `/*` answered with the page. */
class PageServer {
  readonly #server: Server;
  readonly #built: Built;

  constructor(built: Built, fleet: ScriptedFleet) {
    this.#built = built;
    this.#server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://page").pathname;
      const headers = { ...buildHeaders(Object.values(fleet.services)), "Cache-Control": cacheControl(path) };
      if (path === "/config.json") {
        response.writeHead(200, { ...headers, "Content-Type": "application/json" });
        response.end(JSON.stringify({ fleet: "scripted", services: fleet.services }));
        return;
      }
      const file = this.#find(path);
      response.writeHead(file ? 200 : 404, {
        ...headers,
        "Content-Type": types[file?.path.split(".").at(-1) ?? ""] ?? "text/plain",
      });
      response.end(file?.contents);
    });
  }

  #find(path: string) {
    const wanted = path.includes(".") ? path.slice(1) : "index.html";
    return this.#built.files.find((file) => file.path === wanted);
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve()));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export type OpenOptions = BrowserContextOptions & { signedIn?: boolean };
export type Stage = {
  fleet: ScriptedFleet;
  /** Opens an address of the page in a browser profile of its own, signed in unless told otherwise. */
  open: (path: string, options?: OpenOptions) => Promise<Page>;
  /** What the browser may complain about in this test; anything else fails it. */
  expectComplaint: (pattern: RegExp) => void;
};

let browser: Promise<Browser> | null = null;
let built: Promise<Built> | null = null;
const choice = await findBrowser();

async function buildOnce(): Promise<Built> {
  const outDir = await mkdtemp(join(tmpdir(), "signalbox-dashboard-"));
  const result = await buildDashboard({ outDir });
  await rm(outDir, { recursive: true, force: true });
  return result;
}

function watchPage(page: Page, complaints: string[]): void {
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
}

type Parts = {
  fleet: ScriptedFleet;
  pages: PageServer;
  contexts: { close: () => Promise<void> }[];
  complaints: string[];
};

async function signIn(page: Page): Promise<void> {
  const held = { user: credentials.user, token: basic };
  await page.addInitScript((value) => {
    if (sessionStorage.getItem("left") === null) sessionStorage.setItem("signalbox.auth", JSON.stringify(value));
  }, held);
}

async function openPage(
  origin: string,
  { contexts, complaints }: Parts,
  path: string,
  options: OpenOptions,
): Promise<Page> {
  const { signedIn = true, ...rest } = options;
  browser ??= choice.kind === "found" ? launchBrowser(choice) : null;
  if (!browser) throw new Error("there is no browser");
  const context = await (await browser).newContext({
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    viewport: { width: 1280, height: 800 },
    ...rest,
  });
  contexts.push(context);
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  watchPage(page, complaints);
  if (signedIn) await signIn(page);
  await page.goto(origin + path);
  return page;
}

async function play(run: (stage: Stage) => Promise<void>): Promise<void> {
  const fleet = new ScriptedFleet();
  await fleet.listen();
  built ??= buildOnce();
  const pages = new PageServer(await built, fleet);
  const parts: Parts = { fleet, pages, contexts: [], complaints: [] };
  const expected: RegExp[] = [];
  const origin = await pages.listen();
  fleet.allow(origin);
  try {
    await run({
      fleet,
      open: (path, options = {}) => openPage(origin, parts, path, options),
      expectComplaint: (pattern) => expected.push(pattern),
    });
    expect(parts.complaints.filter((text) => !expected.some((pattern) => pattern.test(text)))).toEqual([]);
  } finally {
    for (const context of parts.contexts) await context.close();
    await Promise.all([pages.close(), fleet.close()]);
  }
}

/** One fact about the page in a real browser, beside a fleet of its own. Without a browser the fact is left out by name. */
export function browserTest(title: string, run: (stage: Stage) => Promise<void>): void {
  if (choice.kind === "found") test(title, () => play(run), 60_000);
  else
    test(`left out, ${choice.reason}: ${title}`, () =>
      expect(process.platform === "linux" && process.arch === "x64").toBe(false));
}

afterAll(async () => {
  await (await browser)?.close();
});
