/** The text of a page's title, with its spaces made one; null when it has none. */
export function findTitle(html: string): string | null {
  const [, text = ""] = /<title[^>]{0,200}>([^<]{0,2000})<\/title>/i.exec(html) ?? [];
  const title = text.replaceAll(/\s+/g, " ").trim();
  return title === "" ? null : title;
}

/** Whether a page belongs to a site that may be looked at: scheme, host and port must be the same. */
export function isAllowed(url: string, origins: readonly string[]): boolean {
  if (!URL.canParse(url)) return false;
  const { origin, username, password } = new URL(url);
  return username === "" && password === "" && origins.some((one) => new URL(one).origin === origin);
}
