import { createHmac, hkdfSync } from "node:crypto";

/**
 * A hash that tells equal values from different ones and nothing else about them: without the key not even short values
 * can be tried.
 *
 * @param secret any secret of the fleet; the key is derived from it, for this purpose alone
 * @returns 43 characters, equal for equal values
 */
export function buildKeyedHash(secret: string): (value: string) => string {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "signalbox renderctl environment values", 32));
  return (value) => createHmac("sha256", key).update(value, "utf8").digest("base64url");
}
