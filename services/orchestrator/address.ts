import { isIP } from "node:net";

/**
 * Why an agent's URL is not called; null when it may be. Agents run anywhere, private networks included, but credentials in a
 * URL would reach logs, and the link-local range holds the machines' metadata services, which answer with secrets.
 */
export function judgeAgentUrl(text: string): string | null {
  if (!URL.canParse(text)) return "must be an absolute URL";
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return "must begin with http:// or https://";
  if (url.username !== "" || url.password !== "") return "must not hold credentials";
  if (url.search !== "" || url.hash !== "") return "must not have a query or a fragment";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && isForbiddenAddress(host)) return "must not be a link-local or unspecified address";
  return null;
}

/** Link-local (metadata services), unspecified, multicast and broadcast addresses; checked again when a name has been resolved. */
export function isForbiddenAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  const plain = (mapped?.[1] ?? address).toLowerCase();
  if (isIP(plain) === 4) {
    const first = Number(plain.split(".")[0]);
    return plain.startsWith("169.254.") || first === 0 || first >= 224;
  }
  return (
    plain === "::" ||
    /^fe[89ab]/.test(plain) ||
    plain.startsWith("ff") ||
    plain === "fd00:ec2::254" ||
    /^::ffff:a9fe:/.test(plain)
  );
}
