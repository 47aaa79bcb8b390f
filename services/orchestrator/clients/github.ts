import { Connections, request } from "@signalbox/common/http-client.ts";
import { parseRetryAfter } from "../backoff.ts";
import type { Hook, HookAttempt } from "../webhook-reconcile.ts";

/** What GitHub answered instead of what was asked; never the token. */
export class GithubError extends Error {
  /** null: it was no refusal */
  readonly status: number | null;
  readonly retryAfterMs: number;
  constructor(message: string, { status, retryAfterMs }: { status: number | null; retryAfterMs: number }) {
    super(message);
    this.name = "GithubError";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

export type GithubClient = {
  /** One page, newest first; `next` is the cursor of the page after it. @throws GithubError */
  listAttempts(hook: Hook, cursor: string | null): Promise<{ attempts: HookAttempt[]; next: string | null }>;
  /** Asks for one more attempt of the same delivery. @throws GithubError */
  redeliver(hook: Hook, attemptId: string): Promise<void>;
  close(): Promise<void>;
};

const timeoutMs = 10_000;
const pageSize = 100;
/** A page is a tenth of this. */
const maxAnswerBytes = 2_000_000;

export function buildGithubClient(options: { url: string; token: string }): GithubClient {
  const connections = new Connections({
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxAnswerBytes,
  });

  async function call(method: "GET" | "POST", path: string): Promise<{ text: string; link: string }> {
    const { statusCode, headers, body } = await request(options.url.replace(/\/$/, "") + path, {
      method,
      dispatcher: connections,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        authorization: `Bearer ${options.token}`,
        accept: "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
        "user-agent": "signalbox",
      },
    });
    const text = await body.text();
    if (statusCode >= 200 && statusCode < 300) return { text, link: textOf(headers.link) ?? "" };
    const retryAfterMs = parseRetryAfter(textOf(headers["retry-after"]), Date.now());
    throw new GithubError(`GitHub answered ${statusCode} to ${method} ${path}`, { status: statusCode, retryAfterMs });
  }

  return {
    async listAttempts(hook, cursor) {
      const query = `per_page=${pageSize}${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
      const { text, link } = await call("GET", `${pathOf(hook)}?${query}`);
      return { attempts: parseAttempts(text), next: parseNext(link) };
    },
    async redeliver(hook, attemptId) {
      await call("POST", `${pathOf(hook)}/${attemptId}/attempts`);
    },
    close: () => connections.destroy(),
  };
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function pathOf({ owner, id }: Hook): string {
  return `/${owner.includes("/") ? "repos" : "orgs"}/${owner}/hooks/${id}/deliveries`;
}

/** The ids are longer than a JavaScript number is exact, so they are made texts before anything reads them as numbers. */
function parseAttempts(text: string): HookAttempt[] {
  const list = JSON.parse(text.replaceAll(/"id":\s?(\d{1,30})/g, '"id":"$1"')) as unknown;
  if (!Array.isArray(list)) {
    throw new GithubError("GitHub answered something that is no list of deliveries", { status: null, retryAfterMs: 0 });
  }
  return list.flatMap((item: Record<string, unknown> | null) => {
    const { id, guid, delivered_at, status, status_code } = item ?? {};
    const atMs = Date.parse(String(delivered_at));
    if (typeof id !== "string" || typeof guid !== "string" || Number.isNaN(atMs)) return [];
    return [{ id, guid, atMs, isOk: status === "OK" || isSuccess(status_code) }];
  });
}

function isSuccess(statusCode: unknown): boolean {
  return typeof statusCode === "number" && statusCode >= 200 && statusCode < 300;
}

/** @param link as RFC 8288 has it: `<https://…?cursor=…>; rel="next"` */
function parseNext(link: string): string | null {
  const next = link.split(",").find((part) => part.includes('rel="next"'));
  const url = /<([^<>]{1,2000})>/.exec(next ?? "")?.[1];
  return url === undefined ? null : new URL(url, "https://api.github.com").searchParams.get("cursor");
}
