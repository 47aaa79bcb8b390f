/** What stands where a secret was. */
const mark = "[redacted]";

/** Shorter values stand in many texts by chance; they are only hidden where they stand alone. */
const shortLength = 6;

const secretName = /^(?:value|content|.+key|.+token|.*password)$/i;

/**
 * Every text in what is sent that may be a secret: values of variables, contents of files, keys of others' services.
 *
 * @param body of a request to Render, which we made: it is not deep
 */
export function findSentSecrets(body: unknown): string[] {
  if (typeof body !== "object" || body === null) return [];
  return Object.entries(body).flatMap(([name, value]: [string, unknown]) =>
    typeof value === "string" && secretName.test(name) ? [value] : findSentSecrets(value),
  );
}

/** The text without any of the secrets. */
export function scrub(text: string, secrets: readonly string[]): string {
  // The longest first: a secret may contain another.
  const ordered = [...new Set(secrets)].filter((secret) => secret.trim() !== "").sort((a, b) => b.length - a.length);
  return ordered.reduce((clean, secret) => {
    if (secret.length >= shortLength) return clean.replaceAll(secret, mark);
    return clean.replace(new RegExp(`(?<!\\w)${escapeForPattern(secret)}(?!\\w)`, "g"), mark);
  }, text);
}

function escapeForPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
