/* Whether a call of /webhooks/posthog comes from whom it says: a bearer token always, and a signature when one is configured. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** @param secret null: nobody may call */
export function isBearer(authorization: string | undefined, secret: string | null): boolean {
  const token = /^bearer +(\S{1,1000})$/i.exec(authorization ?? "")?.[1];
  if (token === undefined || secret === null) return false;
  return timingSafeEqual(digest(token), digest(secret));
}

/** Hashed first, because lengths differ. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

export type SignedHeaders = { id: string | undefined; timestamp: string | undefined; signature: string | undefined };

/** Either way: clocks differ, and an old delivery must not be played again. */
const toleranceSeconds = 300;

/**
 * @param secret `whsec_` and the key in base64
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function isSigned(
  body: Uint8Array,
  { id, timestamp, signature }: SignedHeaders,
  { secret, nowSeconds }: { secret: string; nowSeconds: number },
): boolean {
  if (id === undefined || signature === undefined || !/^\d{1,12}$/.test(timestamp ?? "")) return false;
  if (Math.abs(nowSeconds - Number(timestamp)) > toleranceSeconds) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  const given = signature.split(" ").slice(0, 20).flatMap(parseSignature);
  // Every one is tried, so that the time tells nothing about which one it was.
  return given.map((candidate) => timingSafeEqual(expected, candidate)).includes(true);
}

function parseSignature(text: string): Buffer[] {
  if (!text.startsWith("v1,")) return [];
  const bytes = Buffer.from(text.slice(3), "base64");
  return bytes.length === 32 ? [bytes] : [];
}
