/* Who sent these bytes: the signatures of GitHub and of Standard Webhooks, and plain bearer tokens. All in constant time. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** The secret of now, then those that are still accepted while a sender is given the new one. */
export type Secrets = readonly string[];

/** Which secret it was; null: none of them. */
export type Signer = "current" | "previous" | null;

function nameOf(index: number): Signer {
  if (index === -1) return null;
  return index === 0 ? "current" : "previous";
}

/** Every secret is tried whatever the one before said, so that the time tells nothing about which one it was. */
function findSigner(secrets: Secrets, isSigned: (secret: string) => boolean): Signer {
  return nameOf(secrets.map(isSigned).indexOf(true));
}

/** @param header `X-Hub-Signature-256`: `sha256=` and the HMAC of the bytes in hex */
export function judgeGithub(body: Uint8Array, header: string | undefined, secrets: Secrets): Signer {
  const hex = /^sha256=([0-9a-f]{64})$/i.exec(header ?? "")?.[1];
  if (hex === undefined) return null;
  const given = Buffer.from(hex, "hex");
  return findSigner(secrets, (secret) => timingSafeEqual(createHmac("sha256", secret).update(body).digest(), given));
}

export type StandardHeaders = { id: string | undefined; timestamp: string | undefined; signature: string | undefined };

/** Either way: a sender's clock may be behind or ahead. */
const toleranceSeconds = 300;
const maxSignatures = 20;

/**
 * @param secrets `whsec_` and the key in base64
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function judgeStandard(
  body: Uint8Array,
  { id, timestamp, signature }: StandardHeaders,
  { secrets, nowSeconds }: { secrets: Secrets; nowSeconds: number },
): Signer {
  if (id === undefined || signature === undefined || !/^\d{1,12}$/.test(timestamp ?? "")) return null;
  if (Math.abs(nowSeconds - Number(timestamp)) > toleranceSeconds) return null;
  const given = signature.split(" ").slice(0, maxSignatures).flatMap(parseSignature);
  return findSigner(secrets, (secret) => {
    const expected = hmacStandard(secret, `${id}.${timestamp}.`, body);
    return given.map((candidate) => timingSafeEqual(expected, candidate)).includes(true);
  });
}

/** `webhook-signature` of a message of ours. */
export function signStandard(secret: string, id: string, { timestamp, body }: { timestamp: number; body: string }) {
  return `v1,${hmacStandard(secret, `${id}.${timestamp}.`, body).toString("base64")}`;
}

/** @param secret `whsec_` and the key in base64 */
function hmacStandard(secret: string, head: string, body: Uint8Array | string): Buffer {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return createHmac("sha256", key).update(head).update(body).digest();
}

/** Other versions than v1 are skipped: a sender may sign with several. */
function parseSignature(text: string): Buffer[] {
  if (!text.startsWith("v1,")) return [];
  const bytes = Buffer.from(text.slice(3), "base64");
  return bytes.length === 32 ? [bytes] : [];
}

/** @param header `Authorization` */
export function judgeBearer(header: string | undefined, secrets: Secrets): Signer {
  const token = /^bearer +(\S{1,1000})$/i.exec(header ?? "")?.[1];
  if (token === undefined) return null;
  return findSigner(secrets, (secret) => timingSafeEqual(digest(token), digest(secret)));
}

/** Hashed first, because lengths differ. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

export type SenderScheme = { scheme: "standard" | "bearer"; secrets: string[] };

/** @param entries `source=scheme:secret`; a source that is named twice has its previous secret in the second */
export function toSenders(entries: readonly string[]): Map<string, SenderScheme[]> {
  const senders = new Map<string, SenderScheme[]>();
  for (const entry of entries) {
    const [, source = "", scheme = "", secret = ""] = /^([^=]+)=(standard|bearer):(.+)$/.exec(entry) ?? [];
    const schemes = senders.get(source) ?? [];
    const same = schemes.find((known) => known.scheme === scheme);
    if (same) same.secrets.push(secret);
    else schemes.push({ scheme: scheme === "bearer" ? "bearer" : "standard", secrets: [secret] });
    senders.set(source, schemes);
  }
  return senders;
}
