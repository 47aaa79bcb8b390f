import { BlockList, isIP } from "node:net";

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
  if (isForbiddenAddress(host)) return "must not be a link-local, metadata, multicast or unspecified address";
  return null;
}

const forbidden = new BlockList();
forbidden.addSubnet("0.0.0.0", 8);
forbidden.addSubnet("169.254.0.0", 16);
// Multicast, reserved and broadcast.
forbidden.addSubnet("224.0.0.0", 3);
// Alibaba Cloud's metadata service.
forbidden.addAddress("100.100.100.200");
forbidden.addAddress("::", "ipv6");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addSubnet("ff00::", 8, "ipv6");
// AWS's metadata service.
forbidden.addAddress("fd00:ec2::254", "ipv6");
// 169.254.0.0/16 inside IPv4-compatible, NAT64 and 6to4 addresses; mapped ones (::ffff:0:0/96) are looked up as IPv4.
forbidden.addSubnet("::a9fe:0", 112, "ipv6");
forbidden.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");
forbidden.addSubnet("2002:a9fe::", 32, "ipv6");

/** Link-local (metadata services), unspecified and multicast addresses; checked again when a name has been resolved. */
export function isForbiddenAddress(address: string): boolean {
  const plain = address.replace(/%.*$/, "");
  const family = isIP(plain);
  if (family === 0) return false;
  return forbidden.check(plain, family === 4 ? "ipv4" : "ipv6");
}
