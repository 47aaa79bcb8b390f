import { randomBytes } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { eventually } from "@signalbox/testing/eventually.ts";
import type { World } from "../world.ts";

/** A run that was begun and that nobody has answered yet. */
export type HeldCall = { attempt: number; answer(status: number, body: unknown): void };

export type HeldAgent = AsyncDisposable & {
  /** The next run of that task. */
  nextCall(taskId: string): Promise<HeldCall>;
};

const beatMs = 5_000;

/** An agent of the suite's own process, of type `held`: what it is asked, the story that is played answers. */
export async function startHeldAgent(world: World): Promise<HeldAgent> {
  const calls = new Map<string, HeldCall[]>();
  const server = createServer(async (incoming, response) => {
    let text = "";
    for await (const chunk of incoming) text += chunk;
    const { taskId, attempt } = JSON.parse(text) as { taskId: string; attempt: number };
    const answer = (status: number, body: unknown) => reply(response, status, body);
    calls.set(taskId, [...(calls.get(taskId) ?? []), { attempt, answer }]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = world.client("held agent", url);
  const instance = `held-${randomBytes(4).toString("hex")}`;
  const beat = (types: unknown[]) => {
    const body = { name: "held", instance, url, types };
    return client.persist("/agents/heartbeat", { method: "POST", as: "service", body, giveUpMs: 20_000 });
  };
  const types = [{ type: "held", path: "/run", maxConcurrency: 20 }];
  await beat(types);
  const timer = setInterval(() => void beat(types), beatMs);
  return {
    nextCall: (taskId) =>
      eventually(() => calls.get(taskId)?.shift(), { timeoutMs: 60_000, everyMs: 10, what: `a run of ${taskId}` }),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await beat([]);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  if (!response.headersSent)
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
