/** What rules look at: one delivery, with the names that differ from event to event found for them. */
export type Signal = {
  source: string;
  deliveryId: string;
  event: string | null;
  action: string | null;
  /** `owner/name` */
  repository: string | null;
  branch: string | null;
  body: unknown;
};

/** A path into JSON, such as `commits.*.modified`; a `*` stands for every item of a list. */
export type Path = readonly string[];

const segment = /^(?:[A-Za-z0-9_$-]{1,100}|\*)$/;
const maxSegments = 16;

/** Null: it is no path. */
export function parsePath(text: string): Path | null {
  const path = text.split(".");
  return path.length <= maxSegments && path.every((part) => segment.test(part)) ? path : null;
}

/** All values at a path; none when it is missing. */
function readAll(value: unknown, path: Path): unknown[] {
  const [first, ...rest] = path;
  if (first === undefined) return [value];
  if (first === "*") return Array.isArray(value) ? value.flatMap((item) => readAll(item, rest)) : [];
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, first)) return [];
  // A list has a `length` of its own.
  if (Array.isArray(value) && !/^\d+$/.test(first)) return [];
  return readAll((value as Record<string, unknown>)[first], rest);
}

/** Names that every delivery has, whatever its body calls them; `body` is the whole, should it have such a member itself. */
const named = ["source", "deliveryId", "event", "action", "branch", "body"] as const;

/** As `readAll`, from the signal's own names first. */
export function readSignal(signal: Signal, path: Path): unknown[] {
  const [first, ...rest] = path;
  const name = named.find((candidate) => candidate === first);
  if (name === undefined) return readAll(signal.body, path);
  return signal[name] === null && name !== "body" ? [] : readAll(signal[name], rest);
}

type Received = { source: string; deliveryId: string; event: string | null; body: unknown };

/** @param received `event` null: the body says it (`type` of Standard Webhooks, or `event`) */
export function toSignal({ source, deliveryId, event, body }: Received): Signal {
  return {
    source,
    deliveryId,
    event: event ?? textAt(body, "type") ?? textAt(body, "event"),
    action: textAt(body, "action"),
    repository: textAt(body, "repository.full_name"),
    branch: toBranch(body),
    body,
  };
}

const headBranches = ["workflow_run", "check_suite", "workflow_job", "check_run.check_suite"];
const refs = ["pull_request.base.ref", "merge_group.base_ref", "ref"];

/** A tag is no branch. `create` and `delete` name theirs without `refs/heads/`. */
function toBranch(body: unknown): string | null {
  const head = headBranches.map((path) => textAt(body, `${path}.head_branch`)).find((found) => found !== null);
  if (head !== undefined) return head;
  const ref = refs.map((path) => textAt(body, path)).find((found) => found !== null) ?? null;
  if (ref === null || ref.startsWith("refs/tags/") || textAt(body, "ref_type") === "tag") return null;
  return ref.replace(/^refs\/heads\//, "");
}

function textAt(body: unknown, path: string): string | null {
  const [found] = readAll(body, path.split("."));
  return typeof found === "string" && found !== "" && found.length <= maxText ? found : null;
}
const maxText = 1_000;

const changeLists = ["commits.*.added", "commits.*.modified", "commits.*.removed"].map((path) => path.split("."));

/** Many rules ask for them, and a push may touch a hundred thousand. */
const changedPaths = new WeakMap<Signal, string[]>();

/** Files that the commits of a push touch. */
export function listChangedPaths(signal: Signal): string[] {
  const known = changedPaths.get(signal);
  if (known !== undefined) return known;
  const lists = changeLists.flatMap((path) => readAll(signal.body, path)).filter((list) => Array.isArray(list));
  const found = [...new Set(lists.flat().filter((item) => typeof item === "string"))];
  changedPaths.set(signal, found);
  return found;
}
