export type Call = { method: string; url: string; body?: unknown; headers?: Record<string, string> };

/** One argument for a POSIX shell: single quotes keep everything but themselves. */
function quoteShell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The call as a command for a terminal. The credentials are named by their settings, never written out. */
export function toCurl({ method, url, body, headers = {} }: Call): string {
  const parts = ["curl", '-u "$BASIC_AUTH_USER:$BASIC_AUTH_PASS"'];
  if (method !== "GET") parts.push(`-X ${method}`);
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quoteShell(`${name}: ${value}`)}`);
  if (body !== undefined) {
    parts.push(`-H ${quoteShell("Content-Type: application/json")}`, `-d ${quoteShell(JSON.stringify(body))}`);
  }
  return [...parts, quoteShell(url)].join(" ");
}
