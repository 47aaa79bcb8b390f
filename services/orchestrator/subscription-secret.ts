/** Bytes of a key; Standard Webhooks asks for 24 to 64. */
export const secretBytes = 32;

export function toSecret(bytes: Buffer): string {
  return `whsec_${bytes.toString("base64")}`;
}

/** What the secret of a subscription is encrypted for, so that it opens nowhere else. */
export function toSecretPlace(subscriptionId: string): string {
  return `subscription ${subscriptionId}`;
}
