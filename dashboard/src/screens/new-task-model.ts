import { type Signal, useSignal } from "@preact/signals";
import type { TaskType } from "@signalbox/common/contracts/agent.ts";
import type { CreateTask, Task } from "@signalbox/common/contracts/task.ts";
import { useEffect, useRef } from "preact/hooks";
import { type App, useApp } from "../app/context.ts";
import { type Query, useQuery } from "../app/query.ts";
import { navigate, search } from "../app/router.ts";
import { initialValue, type Json } from "../domain/schema.ts";
import { optionsSchema } from "../domain/task-options.ts";
import { type Faults, findFaults, toFaults } from "../domain/validate.ts";
import { newKey } from "../net/key.ts";
import type { Answer, Failure } from "../net/rest.ts";
import { toast } from "../ui/toast.tsx";

type TaskTypes = { items: TaskType[]; nextCursor: string | null };

/** The value of the form. `faults` are by JSON pointer into the request's body. */
export type Draft = { payload: Json; options: Json; faults: Faults; problems: readonly string[] };
export type NewTask = {
  types: Query<TaskTypes>;
  type: TaskType | null;
  draft: Signal<Draft>;
  busy: Signal<boolean>;
  /** The service asked to wait until then, by this machine's clock. */
  blockedUntilMs: Signal<number>;
  submit: () => void;
};

const emptyDraft: Draft = {
  payload: undefined,
  options: initialValue(optionsSchema, optionsSchema),
  faults: new Map(),
  problems: [],
};

/** The members of an earlier task that a new one takes over. */
function toOptions(task: Task): Record<string, unknown> {
  const { priority, maxAttempts, timeoutMs, correlationId, concurrencyKey, userKey } = task;
  const taken: Record<string, unknown> = { source: "dashboard", maxAttempts, timeoutMs };
  if (priority !== 0) taken.priority = priority;
  for (const [key, value] of Object.entries({ correlationId, concurrencyKey, userKey }))
    if (value !== null) taken[key] = value;
  return taken;
}

function bodyOf(type: TaskType, draft: Draft): CreateTask {
  const options = draft.options as Omit<CreateTask, "type" | "payload">;
  return { type: type.type, payload: draft.payload ?? {}, ...options };
}

function prefixed(faults: Faults, prefix: string): [string, string][] {
  return [...faults].map(([pointer, message]) => [`${prefix}${pointer}`, message]);
}

/** What the page itself can tell to be wrong, before anything is sent. */
function checkDraft(type: TaskType, draft: Draft): Faults {
  const own = type.payloadSchema ? findFaults(draft.payload ?? {}, type.payloadSchema) : new Map<string, string>();
  return new Map([...prefixed(own, "/payload"), ...prefixed(findFaults(draft.options, optionsSchema), "")]);
}

export function faultsUnder(faults: Faults, prefix: string): Faults {
  return new Map(
    [...faults].flatMap(([pointer, message]) =>
      pointer.startsWith(prefix) ? [[pointer.slice(prefix.length), message]] : [],
    ),
  );
}

/** A refusal as the form shows it: on the fields it names, and in words. */
function applyRefusal(draft: Draft, failure: Failure): Draft {
  const { faults } = toFaults(failure.details, "");
  const named = prefixed(faults, "").map(([pointer, message]) => `${pointer || "the request"}: ${message}`);
  const unknown =
    failure.kind === "http" ? [] : ["Whether the task was made is not known. Pressing again makes no second one."];
  return { ...draft, faults, problems: [failure.message, ...named, ...unknown] };
}

function focusFirstFault(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
}

/** Fills the form anew for another type, and from an earlier task when the address names one. */
function usePrefill(type: TaskType | null, draft: Signal<Draft>): void {
  const app = useApp();
  const from = search.value.get("from");
  const filled = useRef<string | null>(null);
  useEffect(() => {
    const key = `${type?.type} ${from ?? ""}`;
    if (!type || filled.current === key) return;
    filled.current = key;
    const schema = type.payloadSchema ?? {};
    draft.value = { ...emptyDraft, payload: initialValue(schema, schema) ?? (type.payloadSchema ? undefined : {}) };
  }, [type, from, draft]);
  useQuery<Task>(
    from,
    (signal) => app.rest.call("orchestrator", `/task/${from}`, { signal }),
    (task) => {
      filled.current = `${task.type} ${from ?? ""}`;
      draft.value = { ...emptyDraft, payload: task.payload, options: toOptions(task) };
    },
  );
}

type Sent = { key: string; answer: Answer<Task> };

async function send(app: App, type: TaskType, draft: Draft, key: string): Promise<Sent> {
  const headers = { "Idempotency-Key": key };
  const answer = await app.rest.call<Task>("orchestrator", "/task", {
    method: "POST",
    body: bodyOf(type, draft),
    headers,
  });
  // A refused request stored nothing, so the corrected one is another request; an unanswered one may have.
  const refused = !answer.ok && answer.failure.kind === "http" && answer.failure.status < 500;
  return { key: refused ? newKey() : key, answer };
}

export function useNewTask(): NewTask {
  const app = useApp();
  const types = useQuery<TaskTypes>("task types", (signal) => app.rest.call("orchestrator", "/task-types", { signal }));
  const wanted = search.value.get("type");
  const listed = types.state.value.data?.items ?? [];
  const type = listed.find((item) => item.type === wanted) ?? (wanted === null ? (listed[0] ?? null) : null);
  const draft = useSignal<Draft>(emptyDraft);
  const busy = useSignal(false);
  const blockedUntilMs = useSignal(0);
  const key = useRef(newKey());
  usePrefill(type, draft);
  const post = async (chosen: TaskType) => {
    busy.value = true;
    const sent = await send(app, chosen, draft.peek(), key.current);
    key.current = sent.key;
    busy.value = false;
    if (!sent.answer.ok) {
      blockedUntilMs.value = Date.now() + (sent.answer.failure.retryAfterMs ?? 0);
      draft.value = applyRefusal(draft.peek(), sent.answer.failure);
      focusFirstFault();
      return;
    }
    if (sent.answer.headers.get("idempotent-replayed")) toast("This form had made this task already");
    navigate(`/tasks/${sent.answer.body.id}`);
  };
  const submit = () => {
    if (!type || busy.peek()) return;
    const faults = checkDraft(type, draft.peek());
    draft.value = { ...draft.peek(), faults, problems: [] };
    if (faults.size > 0) focusFirstFault();
    else void post(type);
  };
  return { types, type, draft, busy, blockedUntilMs, submit };
}
