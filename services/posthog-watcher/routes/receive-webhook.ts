import { ApiError } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { isBearer, isSigned } from "../webhook-proof.ts";

const webhookLimitBytes = 26_214_400;
const Accepted = Type.Object(
  { runId: Type.String(), monitor: Type.Union([Type.String(), Type.Null()]) },
  { additionalProperties: false },
);

/** PostHog says that something is the matter: reason enough to look, and nothing more. It may say so often, late and out of order. */
export const receiveWebhook = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/webhooks/posthog",
    auth: "signed",
    summary: "A destination of PostHog: only triggers a look; what it says is no evidence",
    bodyLimitBytes: webhookLimitBytes,
    replies: { 202: Accepted },
    async handle({ headers, rawBody }) {
      ensureSender(context, headers, rawBody);
      const named = nameIn(rawBody);
      const monitor = named !== null && (await context.book.find(named)) !== null ? named : null;
      const runId = await context.kit.store.runs.askForRun({ monitor, reason: "webhook", actor: "webhook:posthog" });
      context.ring();
      return { status: 202, body: { runId, monitor } };
    },
  });

type Headers = Record<string, string | string[] | undefined>;

/** @throws ApiError 401 */
function ensureSender({ webhook }: Context, headers: Headers, rawBody: Buffer): void {
  const one = (name: string) => [headers[name]].flat()[0];
  const { secret, signingSecret } = webhook;
  const signed = { id: one("webhook-id"), timestamp: one("webhook-timestamp"), signature: one("webhook-signature") };
  const terms = { secret: signingSecret ?? "", nowSeconds: Date.now() / 1_000 };
  const isGood = isBearer(one("authorization"), secret) && (signingSecret === null || isSigned(rawBody, signed, terms));
  if (isGood) return;
  throw new ApiError(
    "unauthorized",
    "This address wants the bearer token of POSTHOG_WEBHOOK_SECRET, and its signature where one is configured.",
  );
}

/** A template may name the monitor that is to look. */
function nameIn(rawBody: Buffer): string | null {
  try {
    const { monitor } = JSON.parse(rawBody.toString("utf8")) as { monitor?: unknown };
    return typeof monitor === "string" ? monitor : null;
  } catch {
    return null;
  }
}
