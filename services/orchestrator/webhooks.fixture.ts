/** Deliveries as GitHub sends them, and files of rules; for tests only. */
import { createHmac, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeliveryAccepted } from "@signalbox/common/contracts/webhook.ts";
import type { Orchestrator, Reply } from "./orchestrator.fixture.ts";

export const secret = "the secret of the tests";
export const withSecret = { GITHUB_WEBHOOK_SECRET: secret };
/** An agent that registers types and is not there. */
export const nowhere = { url: "http://127.0.0.1:9" };

export type Sent = { event?: string; id?: string; key?: string; headers?: Record<string, string> };

/** Bytes and texts go as they are, everything else as JSON. */
export function deliver(
  box: Pick<Orchestrator, "call">,
  body: unknown,
  { event = "push", id = randomUUID(), key = secret, headers }: Sent = {},
): Promise<Reply<DeliveryAccepted>> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return box.call<DeliveryAccepted>("/webhooks/github", {
    method: "POST",
    as: "nobody",
    body: bytes,
    headers: {
      "x-github-event": event,
      "x-github-delivery": id,
      "x-hub-signature-256": `sha256=${createHmac("sha256", key).update(bytes).digest("hex")}`,
      ...headers,
    },
  });
}

/** A file of rules for one test, gone at the end of its scope. */
export async function rulesFile(text: string) {
  const folder = await mkdtemp(join(tmpdir(), "rules-"));
  const path = join(folder, "rules.yaml");
  await writeFile(path, text);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
