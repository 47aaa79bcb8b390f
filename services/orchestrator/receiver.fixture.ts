/** Somebody who subscribes: a real HTTP server that verifies what it is sent by itself; for tests only. */
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Subscription } from "@signalbox/common/contracts/subscription.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import type { Items, Orchestrator } from "./orchestrator.fixture.ts";

export const withSecretsKey = { SECRETS_KEY: "a-key-for-the-tests", SUBSCRIPTIONS_ALLOW_PRIVATE: "true" };

export type Message = {
  path: string;
  headers: IncomingHttpHeaders;
  id: string;
  text: string;
  body: { data: { task: Task; event: TaskEvent } };
  response: ServerResponse;
};

/** Answers each message by `answer`: a number is the status, undefined leaves the answer to the test. */
export async function startReceiver(answer: (message: Message, nth: number) => number | undefined = () => 204) {
  const messages: Message[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const id = String(request.headers["webhook-id"]);
      const message = { path: request.url ?? "", headers: request.headers, id, text, body: JSON.parse(text), response };
      const status = answer(message, messages.push(message));
      if (status !== undefined) response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    messages,
    shown: () => messages.map(toShown),
    got: (count: number) => eventually(() => messages.length >= count, { what: `${count} messages` }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const toShown = ({ body }: Message) => `${body.data.event.version} ${body.data.event.kind}`;

/** The signature as the specification has it, made from nothing of ours. */
export function sign({ headers, text }: Message, secret: string): string {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
  return `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
}

export async function subscribe(box: Orchestrator, url: string, more: object = {}) {
  const made = await box.call<{ id: string; secret: string }>("/subscriptions", {
    method: "POST",
    body: { url, kinds: ["created"], ...more },
  });
  if (made.status !== 201) throw new Error(`POST /subscriptions answered ${made.status}: ${JSON.stringify(made.body)}`);
  return made.body;
}

/** The subscription as the list shows it. */
export async function look(box: Orchestrator, id: string) {
  const { items } = (await box.call<Items<Subscription>>("/subscriptions")).body;
  return items.find((item) => item.id === id);
}

/** Makes what waits due now, as if the time had passed. */
export async function skipWait(box: Orchestrator): Promise<void> {
  await box.database.pool.query(
    "update outbox_messages set next_at = now() where ended_at is null and lease_id is null",
  );
  await box.database.pool.query("update subscriptions set hold_until = null");
  // As its poll would, some seconds later.
  await box.database.pool.query("notify signalbox_subscriptions");
}
