import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { BlockList, isIPv6 } from "node:net";
import { rateLimited } from "./errors.ts";

/**
 * Slows down whoever guesses the password. Only wrong credentials that differ count, because that is what guessing looks
 * like: a script with one stale password may go on for ever and locks nobody out. While an address has guessed too often
 * its Basic credentials are refused unseen, right ones too; the internal key is not affected, so the fleet goes on.
 */
export type LoginLimit = {
  /** @throws ApiError 429 */
  check(address: string): void;
  failed(address: string, credential: string): void;
};

type Guesses = { since: number; digests: Set<string> };

const defaultGuesses = 100;
const windowMs = 60_000;

/** Whoever guesses from more addresses than this pushes the oldest out; memory stays bounded all the same. */
const maxAddresses = 1_000;

export function buildLoginLimit(options: { guesses?: number; now?: () => number } = {}): LoginLimit {
  const { guesses = defaultGuesses, now = () => performance.now() } = options;
  const known = new Map<string, Guesses>();

  function current(address: string): Guesses | null {
    const found = known.get(address);
    if (found && now() - found.since < windowMs) return found;
    known.delete(address);
    return null;
  }

  return {
    check(address) {
      const found = current(address);
      if (!found || found.digests.size < guesses) return;
      const waitSeconds = (found.since + windowMs - now()) / 1_000;
      throw rateLimited("Too many wrong passwords came from this address; try again in a minute.", waitSeconds);
    },
    failed(address, credential) {
      const found = current(address) ?? { since: now(), digests: new Set<string>() };
      if (found.digests.size < guesses) found.digests.add(hash("sha256", credential));
      known.set(address, found);
      const [oldest] = known.keys();
      if (known.size > maxAddresses && oldest !== undefined) known.delete(oldest);
    },
  };
}

const nearby = new BlockList();
for (const [net, prefix] of [
  ["10.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const) {
  nearby.addSubnet(net, prefix, "ipv4");
}
nearby.addAddress("::1", "ipv6");
nearby.addSubnet("fc00::", 7, "ipv6");
nearby.addSubnet("fe80::", 10, "ipv6");

/**
 * Who the request comes from. A proxy of ours is in a private network and adds the address that it saw at the end of
 * `X-Forwarded-For`; from anybody else that header is only a claim.
 */
export function clientAddress(request: Pick<IncomingMessage, "headers" | "socket">): string {
  const peer = request.socket.remoteAddress ?? "unknown";
  const forwarded = request.headers["x-forwarded-for"];
  if (typeof forwarded !== "string" || !isNearby(peer)) return peer;
  return forwarded.split(",").at(-1)?.trim().slice(0, 100) || peer;
}

function isNearby(address: string): boolean {
  const plain = address.replace(/^::ffff:/, "");
  if (isIPv6(plain)) return nearby.check(plain, "ipv6");
  return nearby.check(plain, "ipv4");
}
