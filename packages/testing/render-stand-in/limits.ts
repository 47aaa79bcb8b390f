/** What one limit has given out in its present window. */
export type Spending = { used: number; fromMs: number };

type Limit = { name: string; most: number; windowMs: number };

const minute = 60_000;
const hour = 3_600_000;

const scarce: Record<string, Limit> = {
  "create-service": { name: "create-service", most: 20, windowMs: hour },
  "create-postgres": { name: "create-postgres", most: 20, windowMs: hour },
  "create-key-value": { name: "create-key-value", most: 20, windowMs: hour },
  "create-custom-domain": { name: "create-custom-domain", most: 50, windowMs: hour },
  "list-logs": { name: "list-logs", most: 30, windowMs: minute },
};

const perService = ["update-service", "create-deploy", "scale-service", "suspend-service", "resume-service"];

/** The limits as they were seen on the wire. */
function limitsOf(operation: string, method: string, serviceId: string | undefined): Limit[] {
  const all = [
    method === "GET" ? { name: "reads", most: 400, windowMs: minute } : { name: "writes", most: 100, windowMs: minute },
  ];
  const special = scarce[operation];
  if (special) all.push(special);
  if (perService.includes(operation)) all.push({ name: `service ${serviceId}`, most: 10, windowMs: minute });
  return all;
}

export type Spent = { isOver: boolean; headers: Record<string, string> };

/** Tells a client that it need not wait. */
export const unlimited: Spent = {
  isOver: false,
  headers: { "ratelimit-limit": "100000", "ratelimit-remaining": "99999", "ratelimit-reset": "60" },
};

/** Counts one call. The headers speak of the limit that has the least left; seconds, rounded up. */
export function spend(
  spending: Map<string, Spending>,
  call: { operation: string; method: string; serviceId: string | undefined },
  nowMs: number,
): Spent {
  const limits = limitsOf(call.operation, call.method, call.serviceId);
  const spent = limits.map((limit) => {
    const known = spending.get(limit.name);
    const window = known && nowMs - known.fromMs < limit.windowMs ? known : { used: 0, fromMs: nowMs };
    spending.set(limit.name, window);
    return { limit, window };
  });
  const isOver = spent.some(({ limit, window }) => window.used >= limit.most);
  if (!isOver) for (const { window } of spent) window.used += 1;
  const share = ({ limit, window }: (typeof spent)[number]) => window.used / limit.most;
  const [least] = spent.sort((a, b) => share(b) - share(a));
  if (!least) return { isOver, headers: {} };
  const reset = Math.ceil((least.window.fromMs + least.limit.windowMs - nowMs) / 1_000);
  return {
    isOver,
    headers: {
      "ratelimit-limit": String(least.limit.most),
      "ratelimit-remaining": String(Math.max(0, least.limit.most - least.window.used)),
      "ratelimit-reset": String(reset),
      ...(isOver && { "retry-after": String(reset) }),
    },
  };
}
