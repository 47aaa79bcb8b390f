import { mkdir, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { findFreePort } from "@signalbox/testing/free-port.ts";
import { expect, test } from "vitest";
import { startDashboard } from "./dashboard-server.ts";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";

async function servedSite() {
  const root = await temporaryFolder();
  const folder = join(root, "site");
  await mkdir(join(folder, "assets"), { recursive: true });
  await writeFile(join(root, "secret.txt"), "outside");
  await writeFile(join(folder, "index.html"), "<!doctype html><title>Signalbox</title>");
  await writeFile(join(folder, "assets", "app-2EYBH5QX.js"), "export {};");
  await writeFile(join(folder, ".hidden"), "hidden");
  const server = await startDashboard(folder, await findFreePort());
  server.setServices({ orchestrator: "http://127.0.0.1:4000" });
  return { ...server, [Symbol.asyncDispose]: () => server.stop() };
}

/** Without any tidying of the path, which fetch would do. */
function ask(url: string, path: string, method = "GET"): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    httpRequest({ hostname, port, path, method }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        body += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on("error", reject)
      .end();
  });
}

test.concurrent("every screen's path answers with the app, a missing file with 404", async () => {
  await using site = await servedSite();
  for (const path of ["/", "/tasks", "/tasks/0198-abc?tab=logs", "/deep/er/path"]) {
    expect(await ask(site.url, path)).toMatchObject({ status: 200, body: "<!doctype html><title>Signalbox</title>" });
  }
  expect((await ask(site.url, "/assets/old-00000000.js")).status).toBe(404);
});

test.concurrent("no path leads out of the site's folder or to its hidden files", async () => {
  await using site = await servedSite();
  for (const path of [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/.hidden",
    "//secret.txt",
  ]) {
    const { status, body } = await ask(site.url, path);
    expect({ path, status, body: body.includes("outside") || body.includes("hidden") }).toEqual({
      path,
      status: 404,
      body: false,
    });
  }
  expect((await ask(site.url, "/%zz")).status).toBe(400);
});

test.concurrent("hashed names are cached for ever, the page is asked for again, config.json is never kept", async () => {
  await using site = await servedSite();
  const cacheOf = async (path: string) => (await fetch(site.url + path)).headers.get("cache-control");
  expect(await cacheOf("/assets/app-2EYBH5QX.js")).toBe("public, max-age=31536000, immutable");
  expect(await cacheOf("/")).toBe("no-cache");
  expect(await cacheOf("/config.json")).toBe("no-store");
});

test.concurrent("config.json holds the running services", async () => {
  await using site = await servedSite();
  expect(await (await fetch(`${site.url}/config.json`)).json()).toEqual({
    fleet: "local",
    services: { orchestrator: "http://127.0.0.1:4000" },
  });
});

test.concurrent("the policy lets scripts of this site talk to the services under both names, and nothing else", async () => {
  await using site = await servedSite();
  const { headers } = await fetch(site.url);
  expect(headers.get("content-security-policy")).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' " +
      "http://127.0.0.1:4000 ws://127.0.0.1:4000 http://localhost:4000 ws://localhost:4000; " +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  );
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("referrer-policy")).toBe("no-referrer");
});

test.concurrent("HEAD answers without a body, anything that would change something with 405", async () => {
  await using site = await servedSite();
  expect(await ask(site.url, "/", "HEAD")).toEqual({ status: 200, body: "" });
  const refused = await fetch(site.url, { method: "POST", body: "x" });
  expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});

test.concurrent("a page that has not changed is not sent again", async () => {
  await using site = await servedSite();
  const etag = (await fetch(site.url)).headers.get("etag") ?? "";
  const again = await fetch(site.url, { headers: { "if-none-match": etag } });
  expect(again.status).toBe(304);
});
