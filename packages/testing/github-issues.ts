/* Issues of GitHub's stand-in: they can be made and listed, by a token that may. */

export type GithubIssue = {
  number: number;
  repository: string;
  title: string;
  body: string;
  labels: string[];
  state: "open" | "closed";
};

type Answer = { status: number; body: unknown };
type Asked = { method: string; path: string; query: URLSearchParams; body: string };

const path = /^\/repos\/([^/]+\/[^/]+)\/issues$/;

/** Null for what is about something else. */
export function serveIssues(issues: GithubIssue[], { method, path: asked, query, body }: Asked): Answer | null {
  const [, repository] = path.exec(asked) ?? [];
  if (repository === undefined) return null;
  if (method === "POST") return make(issues, repository, body);
  if (method !== "GET") return { status: 405, body: { message: "Method Not Allowed" } };
  const [state = "open", label] = [query.get("state") ?? "open", query.get("labels")];
  const found = issues.filter(
    (issue) =>
      issue.repository === repository &&
      (state === "all" || issue.state === state) &&
      (label === null || issue.labels.includes(label)),
  );
  const size = Math.min(100, Number(query.get("per_page") ?? 30));
  return { status: 200, body: found.toReversed().slice(0, size).map(toShown) };
}

const members = ["title", "body", "labels", "assignees", "milestone"];

function make(issues: GithubIssue[], repository: string, text: string): Answer {
  const given = JSON.parse(text) as { title?: unknown; body?: unknown; labels?: unknown };
  const unknown = Object.keys(given).find((key) => !members.includes(key));
  const { title, body = "", labels = [] } = given;
  if (unknown !== undefined || typeof title !== "string" || title === "" || title.length > 256) {
    return { status: 422, body: { message: `Validation Failed: ${unknown ?? "title"}` } };
  }
  const issue = {
    number: issues.length + 1,
    repository,
    title,
    body: String(body),
    labels: labels as string[],
    state: "open" as const,
  };
  issues.push(issue);
  return { status: 201, body: toShown(issue) };
}

function toShown({ repository, labels, ...issue }: GithubIssue) {
  return {
    ...issue,
    html_url: `https://github.com/${repository}/issues/${issue.number}`,
    labels: labels.map((name) => ({ name })),
  };
}
