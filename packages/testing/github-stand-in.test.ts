import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { eventually } from "./eventually.ts";
import { startGithubStandIn } from "./github-stand-in.ts";

async function startReceiver(status = 202) {
  const received: { headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    received.push({ headers: request.headers, body });
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    received,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const asClient = {
  authorization: "Bearer github-token",
  accept: "application/vnd.github+json",
  "x-github-api-version": "2022-11-28",
};

test("a delivery is signed over its bytes, and a redelivery has the guid of the first", async () => {
  await using receiver = await startReceiver();
  await using github = await startGithubStandIn();
  const hook = github.addHook({ owner: "acme/api", url: receiver.url, secret: "s3cret" });
  const first = await github.deliver({ hookId: hook.id, event: "push", payload: { text: "🙂" } });
  expect(first).toMatchObject({ status: "OK", status_code: 202, redelivery: false });
  const path = `${github.url}/repos/acme/api/hooks/${hook.id}/deliveries`;
  const accepted = await fetch(`${path}/${first.id}/attempts`, { method: "POST", headers: asClient });
  expect(accepted.status).toBe(202);
  await eventually(() => receiver.received.length === 2, { what: "the redelivery" });
  for (const { headers, body } of receiver.received) {
    expect(headers).toMatchObject({ "x-github-delivery": first.guid, "x-github-event": "push" });
    expect(headers["x-hub-signature-256"]).toBe(`sha256=${createHmac("sha256", "s3cret").update(body).digest("hex")}`);
  }
});

test.each([
  ["a wrong token", { authorization: "Bearer other" }, 401],
  ["no API version", { "x-github-api-version": "" }, 400],
  ["another type", { accept: "application/json" }, 415],
  ["no agent", { "user-agent": "" }, 403],
])("%s is refused", async (_name, headers, status) => {
  await using github = await startGithubStandIn();
  github.addHook({ owner: "acme", url: "http://127.0.0.1:9", secret: "s" });
  const call = (more: object) =>
    fetch(`${github.url}/orgs/acme/hooks/1000/deliveries`, { headers: { ...asClient, ...more } });
  expect((await call({})).status).toBe(200);
  expect((await call(headers)).status).toBe(status);
});

test("its management makes hooks, deliveries and faults over HTTP", async () => {
  await using receiver = await startReceiver();
  await using github = await startGithubStandIn();
  const call = async (method: string, path: string, body?: unknown) =>
    fetch(`${github.url}/__control${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const { id } = (await (await call("POST", "/hooks", { owner: "acme", url: receiver.url, secret: "s" })).json()) as {
    id: number;
  };
  expect((await call("POST", "/faults", { on: "delivery", kind: "lose", times: 5 })).status).toBe(204);
  const send = async () => (await call("POST", "/deliveries", { hookId: id, event: "ping", payload: {} })).json();
  expect(await send()).toMatchObject({ status_code: 0 });
  expect((await call("DELETE", "/faults")).status).toBe(204);
  expect(await send()).toMatchObject({ status_code: 202 });
  expect(await (await call("GET", "/deliveries")).json()).toHaveLength(2);
});
