import { isDeepStrictEqual } from "node:util";
import { AnnotationBody, ensureBody, ensureQuery, FlagPatch } from "./contracts.ts";
import { spend } from "./limits.ts";
import { type Flag, type Json, Refusal, type Reply, type State, toPage, toTime } from "./state.ts";

export type ResourceCall = {
  method: string;
  resource: string;
  id: string | null;
  query: URLSearchParams;
  body: unknown;
};

type Handler = (state: State, call: ResourceCall) => Reply;

/** Which scope a call needs, and what answers it; by `<METHOD> <resource>` with `/:id` when one is named. */
const handlers: Record<string, { scope: string; handle: Handler }> = {
  "GET insights": { scope: "insight:read", handle: listInsights },
  "GET feature_flags": { scope: "feature_flag:read", handle: listFlags },
  "GET feature_flags/:id": { scope: "feature_flag:read", handle: (state, call) => ok(getFlag(state, call.id)) },
  "PATCH feature_flags/:id": { scope: "feature_flag:write", handle: patchFlag },
  "GET annotations": { scope: "annotation:read", handle: listAnnotations },
  "POST annotations": { scope: "annotation:write", handle: createAnnotation },
  "GET error_tracking/issues/:id": { scope: "error_tracking:read", handle: getIssue },
};

/** @throws Refusal */
export function answerResource(state: State, call: ResourceCall): Reply {
  const found = handlers[`${call.method} ${call.resource}${call.id === null ? "" : "/:id"}`];
  if (!found) throw new Refusal(404, "Endpoint not found.", { code: "not_found" });
  ensureScope(state, found.scope);
  spend(state, "crud");
  if (call.method === "GET") ensureQuery(call.resource, call.query);
  return found.handle(state, call);
}

/** @throws Refusal 403 */
export function ensureScope(state: State, scope: string): void {
  if (state.scopes.includes(scope) || state.scopes.includes(scope.replace(":read", ":write"))) return;
  throw new Refusal(403, `API key missing required scope '${scope}'`, { code: "permission_denied" });
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}

function listInsights(state: State, { query }: ResourceCall): Reply {
  const shortId = query.get("short_id");
  const found = state.insights.filter(({ short_id }) => shortId === null || short_id === shortId);
  return ok(toPage(found, query));
}

function listFlags(state: State, { query }: ResourceCall): Reply {
  const word = (query.get("search") ?? "").toLowerCase();
  const found = state.flags.filter(({ key, deleted }) => !deleted && key.toLowerCase().includes(word));
  return ok(toPage(found, query));
}

function getFlag(state: State, id: string | null): Flag {
  const flag = state.flags.find((one) => String(one.id) === id && !one.deleted);
  if (!flag) throw new Refusal(404, "Not found.", { code: "not_found" });
  return flag;
}

/**
 * A conflict is raised only if the version differs and a field that is changed differs from `original_flag`; without a version
 * the last writer wins. That is how PostHog does it, so that a client that trusts the version alone is caught here.
 */
function patchFlag(state: State, { id, body }: ResourceCall): Reply {
  const flag = getFlag(state, id);
  const { version, original_flag: original, ...changes } = ensureBody(FlagPatch, body);
  const isLate = version !== undefined && version !== flag.version;
  const clashing = Object.keys(changes).filter((key) => original && !isDeepStrictEqual(flag[key], original[key]));
  if (isLate && clashing.length > 0) {
    throw new Refusal(
      409,
      `The feature flag was updated by someone else since you started editing it: ${clashing.join(", ")}`,
      {
        code: "conflict",
      },
    );
  }
  Object.assign(flag, changes, { version: flag.version + 1, updated_at: toTime(state.now()) });
  return ok(flag);
}

function listAnnotations(state: State, { query }: ResourceCall): Reply {
  const word = (query.get("search") ?? "").toLowerCase();
  const [from, to] = [query.get("date_from"), query.get("date_to")];
  const found = state.annotations.filter(
    ({ content, date_marker }) =>
      content.toLowerCase().includes(word) &&
      (from === null || date_marker >= from) &&
      (to === null || date_marker <= to),
  );
  return ok(toPage([...found].reverse(), query));
}

function createAnnotation(state: State, { body }: ResourceCall): Reply {
  const given: Json = ensureBody(AnnotationBody, body);
  const annotation = {
    scope: "project",
    ...given,
    id: state.nextId++,
    created_at: toTime(state.now()),
    deleted: false,
  };
  state.annotations.push(annotation as unknown as State["annotations"][number]);
  return { status: 201, body: annotation };
}

function getIssue(state: State, { id }: ResourceCall): Reply {
  const issue = state.issues.find((one) => one.id === id);
  if (!issue) throw new Refusal(404, "Not found.", { code: "not_found" });
  return ok(issue);
}
