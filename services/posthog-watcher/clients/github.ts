/* GitHub, as far as the watcher writes there: issues of one repository, each found again by a mark in its text. */
import { Connections, request } from "@signalbox/common/http-client.ts";
import { GithubError } from "../github-failure.ts";

export type Issue = { number: number; url: string };
export type NewIssue = { title: string; body: string; key: string };

const timeoutMs = 10_000;
const maxAnswerBytes = 8_388_608;
const label = "signalbox";

export function buildGithub({ url, token, repository }: { url: string; token: string; repository: string }) {
  const limits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs, maxResponseSize: maxAnswerBytes };
  const connections = new Connections({ ...limits, connect: { timeout: 3_000 } });
  const base = `${url.replace(/\/+$/, "")}/repos/${repository}/issues`;
  const headers = {
    ...{ authorization: `Bearer ${token}`, accept: "application/vnd.github+json", "user-agent": "signalbox" },
    ...{ "x-github-api-version": "2022-11-28", "content-type": "application/json" },
  };

  async function call(method: "GET" | "POST", query: string, body?: object): Promise<unknown> {
    const response = await request(base + query, {
      ...{ method, headers, dispatcher: connections, signal: AbortSignal.timeout(timeoutMs) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((cause: unknown) => {
      throw new GithubError("GitHub cannot be reached.", null, cause);
    });
    const text = await response.body.text().catch(() => "");
    if (response.statusCode < 300) return JSON.parse(text);
    throw new GithubError(`GitHub answered ${response.statusCode} for ${repository}.`, response.statusCode);
  }

  return {
    repository,
    /** GitHub knows no idempotency key, so the newest hundred of ours are looked through first. @throws GithubError */
    async findIssue(key: string): Promise<Issue | null> {
      const found = (await call("GET", `?labels=${label}&state=all&per_page=100`)) as Shown[];
      const issue = found.find(({ body }) => body?.includes(markOf(key)));
      return issue ? toIssue(issue) : null;
    },
    /** Writes. @throws GithubError */
    async createIssue({ title, body, key }: NewIssue): Promise<Issue> {
      const text = `${body}\n\n${markOf(key)}`;
      return toIssue((await call("POST", "", { title, body: text, labels: [label] })) as Shown);
    },
    close: () => connections.destroy(),
  };
}

export type Github = ReturnType<typeof buildGithub>;

type Shown = { number: number; html_url: string; body: string | null };

/** Nobody sees it in the page of the issue. */
function markOf(key: string): string {
  return `<!-- signalbox ${key} -->`;
}

function toIssue({ number, html_url }: Shown): Issue {
  return { number, url: html_url };
}
