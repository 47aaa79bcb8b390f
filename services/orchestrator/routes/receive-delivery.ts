/*
 * Webhooks come in. The signature is judged over the bytes before anything else of them is read; what is signed is stored,
 * also when no rule takes it, so that it can be replayed once one does. A sender hears 2xx only after the commit.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type Delivery, DeliveryAccepted, DeliveryNoted } from "@signalbox/common/contracts/webhook.ts";
import { ApiError, invalidRequest, notFound } from "@signalbox/common/errors.ts";
import { parseJson } from "@signalbox/common/json.ts";
import { defineRoute, type JsonReply } from "@signalbox/common/route.ts";
import type { Trace } from "@signalbox/common/trace.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { listMade } from "../webhook-outcome.ts";
import { type Signal, toSignal } from "../webhook-signal.ts";
import { judgeBearer, judgeGithub, judgeStandard, type SenderScheme, type Signer } from "../webhook-signature.ts";
import { announce, draftTasks } from "./run-rules.ts";

/** GitHub never sends more. */
const bodyLimitBytes = 25_000_000;
/** Anybody may send that much before a signature is known; small ones may come by the hundred, as they do after a large push. */
const bodyBudgetBytes = 100_000_000;
const contract = {
  method: "POST",
  auth: "signed",
  bodyLimitBytes,
  bodyBudgetBytes,
  bodyTypes: ["application/json", "application/x-www-form-urlencoded"],
  replies: { 200: DeliveryNoted, 202: DeliveryAccepted },
} as const;

export const receiveGithub = (context: Context) =>
  defineRoute({
    ...contract,
    path: "/webhooks/github",
    summary: "A delivery of GitHub, signed with GITHUB_WEBHOOK_SECRET; rules make tasks of it",
    async handle({ headers, rawBody, trace }) {
      const { githubSecrets } = context.webhooks;
      if (githubSecrets.length === 0) {
        context.log.warn("a delivery of GitHub is refused because GITHUB_WEBHOOK_SECRET is not set");
        throw badSignature(context, "github");
      }
      const signature = judgeGithub(rawBody, textOf(headers["x-hub-signature-256"]), githubSecrets);
      if (signature === null) throw badSignature(context, "github");
      const event = ensureHeader(headers, "x-github-event");
      const deliveryId = ensureHeader(headers, "x-github-delivery");
      return await receive(context, { source: "github", deliveryId, event, signature, rawBody, headers, trace });
    },
  });

const Source = Type.Object({ source: Type.String({ minLength: 1, maxLength: 100 }) }, { additionalProperties: false });

export const receiveDelivery = (context: Context) =>
  defineRoute({
    ...contract,
    path: "/webhooks/:source",
    summary: "A delivery of a sender of WEBHOOK_SECRETS: Standard Webhooks, or a bearer token",
    params: Source,
    async handle({ params, headers, rawBody, trace }) {
      const { source } = params;
      const schemes = context.webhooks.senders.get(source);
      if (schemes === undefined) throw notFound("sender of webhooks", source);
      const signature = schemes
        .map((scheme) => judgeSender(scheme, rawBody, headers))
        .find((signer) => signer !== null);
      if (signature === undefined || signature === null) throw badSignature(context, source);
      const deliveryId = standardHeader(headers, "id") ?? textOf(headers["x-delivery-id"]) ?? uuidv7();
      checkLength("webhook-id", deliveryId);
      return await receive(context, { source, deliveryId, event: null, signature, rawBody, headers, trace });
    },
  });

function judgeSender({ scheme, secrets }: SenderScheme, body: Buffer, headers: IncomingHttpHeaders): Signer {
  if (scheme === "bearer") return judgeBearer(headers.authorization, secrets);
  const [id, timestamp, signature] = ["id", "timestamp", "signature"].map((name) => standardHeader(headers, name));
  return judgeStandard(body, { id, timestamp, signature }, { secrets, nowSeconds: Math.floor(Date.now() / 1_000) });
}

/** Senders that use Svix have their own names for the same three. */
function standardHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  return textOf(headers[`webhook-${name}`]) ?? textOf(headers[`svix-${name}`]);
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" && header !== "" ? header : undefined;
}

/** Says nothing about what was wrong: whoever guesses learns nothing. */
function badSignature({ webhooks }: Context, source: string): ApiError {
  webhooks.count(source, "refused");
  return new ApiError(
    "unauthorized",
    "The signature of this delivery is missing, too old or wrong; nothing was stored.",
  );
}

function ensureHeader(headers: IncomingHttpHeaders, name: string): string {
  const value = textOf(headers[name]);
  if (value === undefined) throw invalidRequest("", `has no header ${name}`);
  return checkLength(name, value);
}

const maxHeaderLength = 200;

function checkLength(name: string, value: string): string {
  if (value.length <= maxHeaderLength) return value;
  throw invalidRequest("", `has a header ${name} of more than ${maxHeaderLength} characters`);
}

type Received = {
  source: string;
  deliveryId: string;
  /** null: the body says it */
  event: string | null;
  signature: string;
  rawBody: Buffer;
  headers: IncomingHttpHeaders;
  trace: Trace;
};

async function receive(context: Context, received: Received): Promise<JsonReply> {
  const { source, deliveryId, event, signature, rawBody, headers, trace } = received;
  const parsed = parseBody(rawBody);
  const signal = toSignal({ source, deliveryId, event, body: "body" in parsed ? parsed.body : null });
  const outcome = "refused" in parsed ? "unreadable" : isPing(received) ? "ping" : null;
  const occasion = { traceId: trace.traceId, bodyBytes: rawBody.length, isReplay: false };
  const drafts = outcome === null ? await draftTasks(context, signal, occasion) : [];
  const delivery = {
    id: uuidv7(),
    source,
    deliveryId,
    event: signal.event,
    action: signal.action,
    headers: keepHeaders(headers),
    body: rawBody,
    signature,
    rulesHash: context.webhooks.book.hash,
    outcome,
  } as const;
  const recorded = await context.webhooks.gate(() => context.store.recordDelivery(delivery, drafts));
  announce(context, recorded);
  noteDelivery(context, recorded.delivery, recorded.isNew);
  if ("refused" in parsed) throw parsed.refused;
  return toAnswer(recorded.delivery);
}

function isPing({ source, event }: Received): boolean {
  return source === "github" && event === "ping";
}

/** The one answer of a delivery, the first time and every time after. */
function toAnswer({ outcome, deliveryId, rules }: Delivery): JsonReply {
  if (outcome === "ping") return { status: 200, body: { pong: true } };
  if (rules.every(({ run }) => run !== 1)) return { status: 200, body: { ignored: true } };
  return { status: 202, body: { deliveryId, tasks: listMade(rules, 1) } };
}

function noteDelivery({ log, webhooks }: Context, delivery: Delivery, isNew: boolean): void {
  const { id, source, event, deliveryId, signature, outcome, taskIds } = delivery;
  webhooks.count(source, isNew ? outcome : "duplicate");
  const data = { id, source, event, deliveryId, signature, outcome, taskIds, isNew };
  if (outcome === "failed") log.warn(data, "a rule could not make its task of a webhook delivery");
  else log.debug(data, "a webhook delivery was stored");
}

/** Worth keeping for whoever looks into a delivery; no credential and no signature is. */
const keptHeaders = [
  "content-type",
  "user-agent",
  "webhook-timestamp",
  "svix-timestamp",
  "x-github-hook-id",
  "x-github-hook-installation-target-id",
  "x-github-hook-installation-target-type",
];

function keepHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    keptHeaders.flatMap((name) => {
      const value = textOf(headers[name]);
      return value === undefined ? [] : [[name, value.slice(0, 500).toWellFormed().replaceAll("\0", "")]];
    }),
  );
}

/** JSON, or the form that GitHub sends when its hook was told so: `payload=` and the JSON. */
export function parseBody(rawBody: Buffer): { body: unknown } | { refused: ApiError } {
  const isForm = rawBody.toString("latin1", 0, 8) === "payload=";
  try {
    const bytes = isForm ? Buffer.from(new URLSearchParams(rawBody.toString("utf8")).get("payload") ?? "") : rawBody;
    return { body: parseJson(bytes) };
  } catch (error) {
    if (error instanceof ApiError) return { refused: error };
    throw error;
  }
}

/** The signal of a stored delivery, for a replay; null when its body is forgotten or never was JSON. */
export function toStoredSignal(stored: Pick<Delivery, "source" | "deliveryId" | "event">, raw: Buffer): Signal | null {
  const parsed = parseBody(raw);
  return "body" in parsed ? toSignal({ ...stored, body: parsed.body }) : null;
}
