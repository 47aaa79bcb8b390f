import { CreateTask } from "@signalbox/common/contracts/task.ts";
import { ApiError } from "@signalbox/common/errors.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import type { Context } from "../context.ts";
import { type Caller, hashBody, type NewTask, toNewTask } from "../new-task.ts";
import type { Recorded, RuleDraft } from "../store/deliveries.ts";
import { toDedupeKey } from "../webhook-outcome.ts";
import type { Draft } from "../webhook-rules.ts";
import type { Signal } from "../webhook-signal.ts";
import { findType, takeSecrets } from "./make-task.ts";

/** A template may multiply what a sender wrote; a task is no larger than a call could make it. */
const maxPayloadBytes = 1_048_576;
/** Larger originals stay in the ledger, where `GET /webhooks/deliveries/:id` shows them. */
const maxRawBytes = 262_144;

const checkTask = compileCheck(CreateTask);

export type Occasion = {
  traceId: string;
  bodyBytes: number;
  /** A replay wants new tasks, whatever is the same. */
  isReplay: boolean;
};

/** The tasks that the rules make of a delivery, and why some of them cannot be made. Stores nothing. */
export async function draftTasks(context: Context, signal: Signal, occasion: Occasion): Promise<RuleDraft[]> {
  const drafts: RuleDraft[] = [];
  for (const rule of context.webhooks.book.rules.filter(({ matches }) => matches(signal))) {
    drafts.push({
      rule: rule.name,
      ...(await toTask(context, rule.draft(signal), { rule: rule.name, signal, occasion })),
    });
  }
  return drafts;
}

type Source = { rule: string; signal: Signal; occasion: Occasion };

async function toTask(context: Context, draft: Draft, from: Source): Promise<{ task: NewTask } | { failed: string }> {
  if (draft.kind === "failed") return { failed: draft.reason };
  const size = Buffer.byteLength(JSON.stringify(draft.task));
  if (size > maxPayloadBytes) return { failed: `its task would have ${size} bytes, ${maxPayloadBytes} at most` };
  const [problem] = checkTask(draft.task, size) ?? [];
  if (problem) return { failed: `its task is not valid: ${problem.path} ${problem.message}` };
  try {
    return { task: await buildTask(context, draft, from) };
  } catch (error) {
    // What is merely away ends the request, so that the sender tries again; what is refused is the rule's own.
    if (error instanceof ApiError) return { failed: error.message };
    throw error;
  }
}

/** @throws ApiError when the type is not known, its schema refuses the payload or its secrets cannot be kept */
async function buildTask(
  context: Context,
  draft: Draft & { kind: "task" },
  { rule, signal, occasion }: Source,
): Promise<NewTask> {
  const origin = `webhook:${signal.source}`;
  const body: CreateTask = { ...(draft.task as CreateTask), source: origin };
  const type = await findType(context, body);
  // A rule's author wrote what shall happen; that is no consent to each time that a sender makes it happen.
  const caller: Caller = {
    actor: origin,
    isPerson: false,
    traceId: occasion.traceId,
    correlationId: signal.deliveryId.slice(0, 200),
  };
  const task = toNewTask(uuidv7(), body, type, caller);
  const isObject = typeof task.payload === "object" && task.payload !== null && !Array.isArray(task.payload);
  const key = draft.dedupe === null ? null : toDedupeKey({ source: signal.source, rule, value: draft.dedupe });
  return {
    ...task,
    ...takeSecrets(context, type, { id: task.id, payload: task.payload }),
    raw: draft.wantsRaw && isObject && occasion.bodyBytes <= maxRawBytes ? signal.body : null,
    idempotency: key === null || occasion.isReplay ? null : { key, bodyHash: hashBody(body) },
  };
}

/** Wakes whoever waits for the tasks that a delivery made. */
export function announce(context: Context, { made }: Pick<Recorded, "made">): void {
  if (made.length === 0) return;
  context.changed({
    claimable: made.some(({ status }) => status === "queued"),
    timed: made.some(({ approval }) => approval !== null),
  });
}
