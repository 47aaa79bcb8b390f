import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { ensurePortsFree } from "./ports.ts";

async function listenSomewhere() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, use: { port, usedBy: "logging" } };
}

test("a port that becomes free in time is waited for, and that is said once", async () => {
  const { server, use } = await listenSomewhere();
  const said: string[] = [];
  await ensurePortsFree([use], 60_000, () => {
    said.push("waiting");
    server.close();
  });
  expect(said).toEqual(["waiting"]);
});

test("without patience a busy port is refused with what needs it, and nothing is said before", async () => {
  const { server, use } = await listenSomewhere();
  const said: string[] = [];
  await expect(ensurePortsFree([use], 0, () => void said.push("waiting"))).rejects.toThrow(
    `port ${use.port}, which logging needs, is in use by another program`,
  );
  expect(said).toEqual([]);
  server.close();
});
