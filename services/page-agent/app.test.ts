import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { startTestAgent } from "@signalbox/testing/test-agent.ts";
import { expect, test } from "vitest";
import { buildTypes } from "./app.ts";
import { buildPages } from "./clients/page.ts";
import { findTitle, isAllowed } from "./page.ts";

async function startSite() {
  const server = createServer((request, response) => {
    if (request.url === "/cut") return void response.destroy();
    if (request.url === "/moved") return void response.writeHead(302, { location: "http://127.0.0.1:9/" }).end();
    if (request.url === "/huge") return void response.end("x".repeat(2_000_000));
    response.end("<html><title>\n Hello\n  you </title></html>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a page is looked at; what moved is told and not followed; away and too large is worth another try; elsewhere is not", async () => {
  await using site = await startSite();
  await using orchestrator = await standInOrchestrator();
  await using agent = await startTestAgent(orchestrator, buildTypes({ pages: buildPages(), origins: [site.origin] }));
  const check = async (url: string) => {
    const answer = await orchestrator.run(agent.url, { path: "/run/page-check", type: "page.check", payload: { url } });
    return { status: answer.status, body: (await answer.json()) as object };
  };
  expect(await check(`${site.origin}/`)).toMatchObject({
    status: 200,
    body: { result: { status: 200, title: "Hello you" } },
  });
  expect(await check(`${site.origin}/moved`)).toMatchObject({
    body: { result: { status: 302, location: "http://127.0.0.1:9/" } },
  });
  for (const path of ["/cut", "/huge"]) {
    expect(await check(site.origin + path)).toMatchObject({ status: 503, body: { error: { code: "page_away" } } });
  }
  expect(await check("http://127.0.0.1:9/")).toMatchObject({ status: 422, body: { error: { code: "not_allowed" } } });
});

test.each([
  ["https://example.com/a?b", true],
  ["https://example.com:443/", true],
  ["http://example.com/", false],
  ["https://example.com.evil.test/", false],
  ["https://user@example.com/", false],
  ["https://example.com:8443/", false],
  ["nonsense", false],
])("%s may be looked at: %s", (url, allowed) => {
  expect(isAllowed(url, ["https://example.com"])).toBe(allowed);
});

test("a page without a title has none, and a title is one line", () => {
  expect([findTitle("<p>x</p>"), findTitle("<TITLE lang=en>a\n b</TITLE>"), findTitle("<title> </title>")]).toEqual([
    null,
    "a b",
    null,
  ]);
});
