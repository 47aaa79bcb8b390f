import type { OperationName } from "./render-operations.ts";

/*
 * How much Render lets one account ask for. A bucket per limit: full at first, refilled evenly over its window. What is
 * documented is where it starts; the `RateLimit-…` headers of the answers correct it, because both change without notice.
 * The last tenth is spent no faster than it comes back, so that others who use the same account are not shut out.
 */

export type Limit = { name: string; capacity: number; windowMs: number };

/** Times are in ms, of one steady clock. */
export type Bucket = {
  capacity: number;
  windowMs: number;
  tokens: number;
  at: number;
  takenAt: number;
  shutUntil: number;
};

const minute = 60_000;
const hour = 3_600_000;

const reads: Limit = { name: "reads", capacity: 400, windowMs: minute };
/** Documented; more was seen (100), which the headers will say. */
const writes: Limit = { name: "writes", capacity: 30, windowMs: minute };

const scarce: Partial<Record<OperationName, Limit>> = {
  "list-logs": { name: "logs", capacity: 30, windowMs: minute },
  "create-service": { name: "new services", capacity: 20, windowMs: hour },
  "create-postgres": { name: "new databases", capacity: 20, windowMs: hour },
  "create-key-value": { name: "new key value stores", capacity: 20, windowMs: hour },
  "create-custom-domain": { name: "new domains", capacity: 50, windowMs: hour },
};

/** These share 10 a minute for each service. */
const turning = new Set<OperationName>([
  "update-service",
  "create-deploy",
  "scale-service",
  "suspend-service",
  "resume-service",
]);

/** The limits that one call counts against, the widest first. */
export function limitsOf(operation: OperationName, method: string, serviceId: string | undefined): Limit[] {
  const limits = [method === "GET" ? reads : writes];
  const special = scarce[operation];
  if (special) limits.push(special);
  if (turning.has(operation)) limits.push({ name: `service ${serviceId}`, capacity: 10, windowMs: minute });
  return limits;
}

export function newBucket({ capacity, windowMs }: Limit, now: number): Bucket {
  return { capacity, windowMs, tokens: capacity, at: now, takenAt: Number.NEGATIVE_INFINITY, shutUntil: 0 };
}

/** How long until a call may be made, in ms; 0: now. */
export function waitOf(bucket: Bucket, now: number): number {
  const { capacity, windowMs, takenAt, shutUntil } = bucket;
  const perToken = windowMs / capacity;
  const tokens = tokensAt(bucket, now);
  const untilToken = tokens >= 1 ? 0 : (1 - tokens) * perToken;
  const untilPaced = tokens - 1 >= capacity / 10 ? 0 : takenAt + perToken - now;
  return Math.max(0, Math.ceil(Math.max(shutUntil - now, untilToken, untilPaced)));
}

/** The same where nothing is known of the limit but what a refusal said. */
export function shutFor({ shutUntil }: Bucket, now: number): number {
  return Math.max(0, Math.ceil(shutUntil - now));
}

export function take(bucket: Bucket, now: number): Bucket {
  return { ...bucket, tokens: tokensAt(bucket, now) - 1, at: now, takenAt: now };
}

/** What an answer says about a limit; `resetMs` is how long until it is whole again. */
export type Told = { limit: number; remaining: number; resetMs: number };

/** Nothing is left: the limit is shut until it is whole. Other users of the account may have spent it. */
export function learn(bucket: Bucket, { limit, remaining, resetMs }: Told, now: number): Bucket {
  const tokens = Math.min(remaining, bucket.capacity < limit ? limit : tokensAt(bucket, now));
  const shutUntil = remaining <= 0 ? now + resetMs : 0;
  return { ...bucket, capacity: limit, tokens, at: now, shutUntil: Math.max(bucket.shutUntil, shutUntil) };
}

export function shut(bucket: Bucket, forMs: number, now: number): Bucket {
  return { ...bucket, shutUntil: Math.max(bucket.shutUntil, now + forMs) };
}

/**
 * Which of a call's limits the headers speak of: the one of that size, else the widest, whose size has changed then.
 *
 * @param capacities of the call's buckets, the widest first
 */
export function indexOfTold(capacities: number[], told: Told): number {
  return Math.max(0, capacities.indexOf(told.limit));
}

/** A reset above this is no number of seconds but an instant in Unix time: Render's pages speak of both. */
const leastEpoch = 1_000_000;

/**
 * @param header reads one header, by its lower-case name
 * @param nowSeconds Unix time, for resets that are instants
 */
export function parseTold(header: (name: string) => string | undefined, nowSeconds: number): Told | null {
  const [limit, remaining, reset] = ["limit", "remaining", "reset"].map((part) =>
    toNumber(header(`ratelimit-${part}`)),
  );
  if (limit === undefined || remaining === undefined || limit < 1) return null;
  const seconds = reset === undefined ? 60 : reset > leastEpoch ? reset - nowSeconds : reset;
  return { limit, remaining, resetMs: Math.max(0, seconds) * 1_000 };
}

/** `100`, and also `100;w=60` or `100, 100;w=60` of the drafts of the header. */
function toNumber(text: string | undefined): number | undefined {
  const digits = /^\s*(\d{1,12})(?:\.\d+)?\s*(?:[;,]|$)/.exec(text ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function tokensAt({ tokens, capacity, windowMs, at }: Bucket, now: number): number {
  return Math.min(capacity, tokens + ((now - at) * capacity) / windowMs);
}
