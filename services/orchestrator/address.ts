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
// Azure's, which gives a machine its configuration; a public address otherwise.
forbidden.addAddress("168.63.129.16");
forbidden.addAddress("::", "ipv6");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addSubnet("ff00::", 8, "ipv6");
// The metadata services of AWS and Google Cloud.
forbidden.addAddress("fd00:ec2::254", "ipv6");
forbidden.addAddress("fd20:ce::254", "ipv6");
// 169.254.0.0/16 inside IPv4-compatible, NAT64 and 6to4 addresses; mapped ones (::ffff:0:0/96) are looked up as IPv4.
forbidden.addSubnet("::a9fe:0", 112, "ipv6");
forbidden.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");
forbidden.addSubnet("2002:a9fe::", 32, "ipv6");

/** Link-local (metadata services), unspecified and multicast addresses; checked again when a name has been resolved. */
export function isForbiddenAddress(address: string): boolean {
  return isIn(forbidden, address);
}

/**
 * Why events are not sent to a URL; null when they may be. Whoever may subscribe names any URL, so that, unless an operator
 * allows it, nothing inside the network of the orchestrator is called: its answer times alone would tell what is there.
 */
export function judgeReceiverUrl(text: string, allowPrivate: boolean): string | null {
  // A URL parser drops line breaks and tabs, so that what was written and what is called would differ.
  if (/[\s\p{Cc}]/u.test(text)) return "must not hold spaces or control characters";
  if (!URL.canParse(text)) return "must be an absolute URL";
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return "must begin with http:// or https://";
  if (url.username !== "" || url.password !== "") return "must not hold credentials";
  if (url.hash !== "") return "must not have a fragment";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isForbiddenAddress(host)) return "must not be a link-local, metadata, multicast or unspecified address";
  if (allowPrivate || !(isPrivateAddress(host) || /^(?:.+\.)?localhost\.?$/.test(host))) return null;
  return "must not be a private or loopback address; SUBSCRIPTIONS_ALLOW_PRIVATE=true allows them";
}

/** Everything that is no address of the public internet; false for a name. */
export function isPrivateAddress(address: string): boolean {
  const plain = address.replace(/%.*$/, "");
  const family = isIP(plain);
  if (family === 0) return false;
  if (family === 4) return notPublic4.check(plain, "ipv4");
  if (nat64.check(plain, "ipv6")) return notPublicNat64.check(plain, "ipv6");
  return !public6.check(plain, "ipv6") || notPublic6.check(plain, "ipv6");
}

/** @see https://www.iana.org/assignments/iana-ipv4-special-registry */
const special4: [string, number][] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];
const notPublic4 = new BlockList();
/** A network of IPv6 alone reaches the IPv4 internet by these, and by these its own private addresses too. */
const nat64 = new BlockList();
const notPublicNat64 = new BlockList();
nat64.addSubnet("64:ff9b::", 96, "ipv6");
for (const [network, prefix] of special4) {
  notPublic4.addSubnet(network, prefix);
  notPublicNat64.addSubnet(`64:ff9b::${network}`, 96 + prefix, "ipv6");
}

/** Global unicast, less what is inside of it for protocols (Teredo among it), 6to4 and documentation. */
const public6 = new BlockList();
public6.addSubnet("2000::", 3, "ipv6");
const notPublic6 = new BlockList();
notPublic6.addSubnet("2001::", 23, "ipv6");
notPublic6.addSubnet("2001:db8::", 32, "ipv6");
notPublic6.addSubnet("2002::", 16, "ipv6");
notPublic6.addSubnet("3fff::", 20, "ipv6");

function isIn(list: BlockList, address: string): boolean {
  const plain = address.replace(/%.*$/, "");
  const family = isIP(plain);
  return family !== 0 && list.check(plain, family === 4 ? "ipv4" : "ipv6");
}
