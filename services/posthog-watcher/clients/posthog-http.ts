/* One call of PostHog's API at a time of its budget, with a timeout, and every ending told apart. */
import { setTimeout as rest } from "node:timers/promises";
import { Connections, request } from "@signalbox/common/http-client.ts";
import { PosthogError, toPosthogError } from "../posthog-failure.ts";
import { type Budget, type BudgetState, closeBudget, newBudget, takeCall } from "../request-budget.ts";

export type PosthogHttp = {
  /** @param path below the project, such as `/query/` */
  call(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, options?: CallOptions): Promise<unknown>;
  budget(): BudgetState;
  close(): Promise<void>;
};

export type CallOptions = { body?: unknown; query?: Record<string, string>; signal?: AbortSignal };

export type HttpOptions = {
  host: string;
  projectId: string;
  apiKey: string;
  budget: Budget;
  /** ms; what the budget goes by */
  clock(): number;
  /** what the pauses between tries are multiplied by; tests hurry */
  patience: number;
};

/** PostHog gives a query 10 s and lets the fourth one wait for 30. */
const timeoutMs = 45_000;
const connectMs = 5_000;
const maxAnswerBytes = 67_108_864;
const inFlightAtMost = 2;
/** Whoever has to wait longer for the budget is told that it is spent. */
const longestWaitMs = 20_000;
const tries = 2;
const pauseMs = 500;

export function buildPosthogHttp(options: HttpOptions): PosthogHttp {
  const { clock, budget } = options;
  const host = options.host.replace(/\/+$/, "");
  const base = `${host}/api/projects/${options.projectId}`;
  const connections = openConnections();
  const seats = buildSeats(inFlightAtMost);
  let state = newBudget(budget, clock());

  async function admit(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const taken = takeCall(state, budget, clock());
      state = taken.state;
      if (taken.waitMs === 0) return;
      if (taken.waitMs > longestWaitMs) {
        throw new PosthogError("limited", "the budget of requests to PostHog is spent", { retryAfterMs: taken.waitMs });
      }
      await rest(taken.waitMs * options.patience, undefined, signal && { signal });
    }
  }

  async function fetchText(method: string, path: string, { body, query, signal }: CallOptions) {
    const limit = AbortSignal.timeout(timeoutMs);
    const search = query === undefined ? "" : `?${new URLSearchParams(query)}`;
    const response = await request(`${base}${path}${search}`, {
      method: method as "GET",
      dispatcher: connections,
      signal: signal ? AbortSignal.any([limit, signal]) : limit,
      headers: {
        authorization: `Bearer ${options.apiKey}`,
        "content-type": "application/json",
        "user-agent": "signalbox-posthog-watcher",
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((cause: unknown) => {
      throw new PosthogError("unknown", `${host} cannot be reached`, { cause });
    });
    const text = await response.body.text().catch((cause: unknown) => {
      throw new PosthogError("unknown", "PostHog's answer broke off", { status: response.statusCode, cause });
    });
    return { status: response.statusCode, text, retryAfter: [response.headers["retry-after"]].flat()[0] };
  }

  async function send(method: string, path: string, given: CallOptions): Promise<unknown> {
    await admit(given.signal);
    const answer = await fetchText(method, path, given);
    if (answer.status < 300) return parse(answer.text, answer.status);
    const failure = toPosthogError({ ...answer, host });
    if (failure.kind === "limited") state = closeBudget(state, clock() + Math.max(1_000, failure.retryAfterMs));
    throw failure;
  }

  return {
    async call(method, path, given = {}) {
      const most = isRepeatable(method, path) ? tries : 1;
      for (let attempt = 1; ; attempt++) {
        const leave = await seats.enter();
        const answer = await send(method, path, given)
          .catch((error: unknown) => orAgain(error, attempt < most))
          .finally(leave);
        if (!(answer instanceof PosthogError)) return answer;
        const restMs = (answer.retryAfterMs || pauseMs * (0.5 + Math.random())) * options.patience;
        await rest(restMs, undefined, given.signal && { signal: given.signal });
      }
    },
    budget: () => state,
    close: () => connections.destroy(),
  };
}

function openConnections(): Connections {
  return new Connections({
    connections: inFlightAtMost,
    connect: { timeout: connectMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxAnswerBytes,
  });
}

/** Asking a question twice changes nothing; writing twice may. */
function isRepeatable(method: string, path: string): boolean {
  return method === "GET" || (method === "POST" && path === "/query/");
}

/** The failure as a value when the call is worth repeating; else it is thrown. */
function orAgain(error: unknown, mayRepeat: boolean): PosthogError {
  if (mayRepeat && error instanceof PosthogError && error.isWorthAnotherTry) return error;
  throw error;
}

function parse(text: string, status: number): unknown {
  if (text === "" || status === 204) return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PosthogError("unknown", "PostHog answered with something that is not JSON", { status, cause });
  }
}

/** So many at once; the others wait in line. */
function buildSeats(count: number) {
  let free = count;
  const line: (() => void)[] = [];
  return {
    async enter(): Promise<() => void> {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => line.push(resolve));
      let isIn = true;
      return () => {
        if (!isIn) return;
        isIn = false;
        const next = line.shift();
        if (next) next();
        else free += 1;
      };
    },
  };
}
