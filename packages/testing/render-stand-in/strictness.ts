import { type ApiJudge, buildApiJudge, type Problem, readRenderFacts } from "./api-facts.ts";
import { isObject, type Json, Refusal, type State } from "./state.ts";

/* What a request must be like: the document's schemas, narrowed to the type of service that it is about. */

export const renderApi: ApiJudge = buildApiJudge(readRenderFacts());

const detailShapes: Record<string, string> = {
  static_site: "staticSiteDetails",
  web_service: "webServiceDetails",
  private_service: "privateServiceDetails",
  background_worker: "backgroundWorkerDetails",
  cron_job: "cronJobDetails",
};

/** @throws Refusal 400 that names every problem */
export function ensureGood(operation: string, query: URLSearchParams, body: unknown): void {
  const problems = [
    ...renderApi.judgeQuery(operation, query),
    ...renderApi.judgeBody(operation, withoutAllowances(operation, body)),
  ];
  refuse(problems);
}

/** The union of all types' details lets a static site have a plan; Render does not. @throws Refusal 400 */
export function ensureDetailsFit(state: State, operation: string, params: Record<string, string>, body: unknown): void {
  const details = isObject(body) ? body.serviceDetails : undefined;
  if (operation === "create-service") {
    const { type } = body as { type: string };
    refuse(renderApi.judgeShape(`${detailShapes[type]}POST`, details ?? {}), "/serviceDetails");
  }
  if (operation === "update-service" && details !== undefined) {
    const service = state.services.find(({ id }) => id === params.serviceId);
    if (service) refuse(renderApi.judgeShape(`${detailShapes[service.type]}PATCH`, details), "/serviceDetails");
  }
}

/**
 * What the stand-in itself answers, by the same schemas: it may not be kinder or richer than what it stands for. A null
 * counts as absent, because Render sends it for much that its document calls a text or a list.
 */
export function judgeOwnReply(operation: string, status: number, body: unknown): Problem[] {
  const known = Object.keys(renderApi.operations[operation]?.replies ?? {});
  if (known.includes("204") || body === null) return [];
  const documented = known.includes(String(status)) ? status : Number(known[0]);
  const problems = renderApi.judgeReply(operation, documented, withoutNulls(body));
  return problems.filter(({ path }) => !path.endsWith("/ipAllowList"));
}

/** Seen on the wire, and not in the document: both lists null clear a filter, and null empties variables. */
function withoutAllowances(operation: string, body: unknown): unknown {
  if (operation === "update-env-vars-for-service" && body === null) return [];
  if (!isObject(body) || !isObject(body.buildFilter)) return body;
  const { buildFilter, ...rest } = body;
  return (buildFilter as Json).paths === null && (buildFilter as Json).ignoredPaths === null ? rest : body;
}

function refuse(problems: Problem[], within = ""): void {
  if (problems.length === 0) return;
  const lines = problems.slice(0, 5).map(({ path, message }) => `${within}${path} ${message}`.trim());
  throw new Refusal(400, `invalid request: ${lines.join("; ")}`);
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === null ? [] : [[key, withoutNulls(member)]])),
  );
}
