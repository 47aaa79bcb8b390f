import type { Dice } from "@signalbox/testing/dice.ts";

/** What one user asks for: the body of a POST, and how it may end. */
export type Wish = {
  kind: string;
  body: Record<string, unknown>;
  /** Statuses that it may end with when nobody interferes. */
  ends: readonly string[];
};

export type WishContext = {
  dice: Dice;
  user: number;
  /** Unique to this wish; also its Idempotency-Key. */
  nonce: string;
  token: string;
  /** Place among the wishes for the user's own key. */
  at: number;
};

/** A task whose agents are killed again and again ends well all the same, if it may try often enough. */
const patient = { maxAttempts: 25, timeoutMs: 5_000 };
const completed = ["completed"] as const;

type Make = (context: WishContext) => Pick<Wish, "body" | "ends">;

const makers: Record<string, { weight: number; make: Make }> = {
  quick: { weight: 20, make: () => ({ ends: completed, body: { type: "quick", payload: {} } }) },
  slow: {
    weight: 14,
    make: ({ dice }) => ({ ends: completed, body: { type: "slow", payload: { ms: dice.between(200, 1_800) } } }),
  },
  flaky: {
    weight: 8,
    make: ({ dice }) => ({ ends: completed, body: { type: "flaky", payload: { fails: dice.between(1, 2) } } }),
  },
  doomed: {
    weight: 5,
    make: ({ dice }) => {
      const payload = dice.percent(50) ? { final: true } : { fails: 99 };
      return { ends: ["failed"], body: { type: "doomed", payload, maxAttempts: 2 } };
    },
  },
  deferred: {
    weight: 10,
    make: ({ dice }) => {
      const payload = { ms: dice.between(50, 400), steps: dice.between(1, 4) };
      return { ends: completed, body: { type: "deferred", payload } };
    },
  },
  asks: {
    weight: 7,
    make: ({ dice }) => {
      const payload = { waitsFor: dice.percent(70) ? "input" : "approval" };
      return { ends: ["completed", "canceled"], body: { type: "asks", payload } };
    },
  },
  approval: {
    weight: 6,
    make: ({ dice }) => {
      const isIgnored = dice.percent(25);
      const approval = { required: true, reason: "as asked", ...(isIgnored && { expiresInSeconds: 1 }) };
      const ends = isIgnored ? ["failed"] : ["completed", "canceled"];
      return { ends, body: { type: "quick", payload: { ...(isIgnored && { undecided: true }) }, approval } };
    },
  },
  late: {
    weight: 6,
    make: ({ dice }) => {
      const runAt = new Date(Date.now() + dice.between(300, 3_000)).toISOString();
      return { ends: completed, body: { type: "quick", payload: { late: true }, runAt } };
    },
  },
  secretive: {
    weight: 4,
    make: ({ token }) => ({ ends: completed, body: { type: "secretive", payload: { token } } }),
  },
  line: {
    weight: 20,
    make: ({ dice, user, at }) => {
      const concurrencyKey = `line-${user % 50}`;
      const late = dice.percent(5) ? { runAt: new Date(Date.now() + 500).toISOString() } : {};
      const payload = { key: concurrencyKey, at, ms: dice.between(0, 30), ...("runAt" in late && { late: true }) };
      const flaky = dice.percent(5) ? { fails: 1 } : {};
      return { ends: completed, body: { type: "line", concurrencyKey, payload: { ...payload, ...flaky }, ...late } };
    },
  },
};

const urn = Object.entries(makers).flatMap(([kind, { weight }]) => Array.from({ length: weight }, () => kind));

export function pickKind(dice: Dice): string {
  return dice.pick(urn);
}

export function makeWish(kind: string, context: WishContext): Wish {
  const maker = makers[kind];
  if (!maker) throw new Error(`there is no kind ${kind}`);
  const { body, ends } = maker.make(context);
  const payload = { nonce: context.nonce, kind, ...(body.payload as object) };
  return { kind, ends, body: { ...patient, correlationId: `user-${context.user}`, ...body, payload } };
}

/** Members of a family: a parent that takes long, and children that are canceled with it. */
export function makeFamily({ nonce, user }: WishContext, parentId: string | null): Wish {
  const payload = { nonce, kind: "family", ms: 4_000 };
  return {
    kind: "family",
    ends: ["completed", "canceled"],
    body: {
      ...patient,
      type: "family",
      correlationId: `user-${user}`,
      payload,
      ...(parentId !== null && { parentId }),
    },
  };
}
