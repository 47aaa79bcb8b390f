/* What the watcher does as an agent: looks, wakes up, sets flags, writes annotations. */
import { AgentError, type RunContext, type RunOutcome } from "@signalbox/common/agent-run.ts";
import { type Static, Type } from "typebox";
import type { Context } from "../context.ts";
import { FlagConflictError } from "../flag-conflict.ts";
import { GithubError } from "../github-failure.ts";
import { PosthogError } from "../posthog-failure.ts";
import { WakeupItem } from "../wakeup.ts";

const closed = { additionalProperties: false } as const;

export const WatchRun = Type.Object({ monitor: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })) }, closed);
export const WatchWakeup = Type.Object(
  {
    title: WakeupItem.properties.title,
    prompt: WakeupItem.properties.prompt,
    query: WakeupItem.properties.query,
    at: Type.Optional(Type.String({ format: "date-time" })),
    isLate: Type.Optional(Type.Boolean()),
  },
  closed,
);
export const SetFlag = Type.Object(
  {
    flag: Type.String({ minLength: 1, maxLength: 400, description: "the flag's key" }),
    active: Type.Boolean(),
    expected: Type.Optional(
      Type.Object(
        { active: Type.Optional(Type.Boolean()), version: Type.Optional(Type.Integer()) },
        { ...closed, description: "what it was when somebody decided; if it is not any more, nothing is done" },
      ),
    ),
  },
  closed,
);
export const Annotate = Type.Object(
  {
    content: Type.String({ minLength: 1, maxLength: 400 }),
    at: Type.Optional(Type.String({ format: "date-time" })),
    key: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "a part of the content by which it is found again" }),
    ),
  },
  closed,
);

export const CreateIssue = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 256 }),
    body: Type.String({ maxLength: 20_000 }),
    key: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        pattern: "^[A-Za-z0-9._:-]+$",
        description: "one issue a key, however often it is asked for; a proposal's is its finding",
      }),
    ),
  },
  closed,
);

/** @throws AgentError */
function explain(error: unknown): never {
  if (error instanceof FlagConflictError)
    throw new AgentError(error.message, { code: "flag_conflict", details: error.found });
  if (error instanceof GithubError)
    throw new AgentError(error.message, { code: "github_failed", retryable: error.isRetryable, cause: error });
  if (!(error instanceof PosthogError)) throw error;
  throw new AgentError(error.message, {
    code: `posthog_${error.kind}`,
    retryable: error.kind === "unknown" || error.kind === "limited",
    retryAfterMs: error.retryAfterMs,
    cause: error,
  });
}

export async function runWatch(context: Context, run: RunContext<Static<typeof WatchRun>>): Promise<RunOutcome> {
  const monitor = run.payload.monitor ?? null;
  if (monitor !== null && (await context.book.find(monitor)) === null) {
    throw new AgentError(`There is no monitor ${monitor}.`, { code: "not_found" });
  }
  return { result: await context.runNow(monitor, `task-${run.taskId ?? "none"}`, run.signal).catch(explain) };
}

export async function runWakeup(context: Context, run: RunContext<Static<typeof WatchWakeup>>): Promise<RunOutcome> {
  return { result: await context.runWakeup(run.payload, run.signal).catch(explain) };
}

export async function runSetFlag(context: Context, run: RunContext<Static<typeof SetFlag>>): Promise<RunOutcome> {
  const { flag, active } = run.payload;
  refuseUnlessMayAct(context);
  await refuseWithoutConsent(context, run);
  const { pins } = context.kit;
  if (pins.flags.length > 0 && !pins.flags.includes(flag)) {
    throw new AgentError(`The flag ${flag} is not among POSTHOG_PIN_FLAGS.`, { code: "not_allowed" });
  }
  const { before, after } = await context.setFlag(run.payload).catch(explain);
  const isChange = before.active !== after.active;
  if (isChange) {
    await run.sideEffect({
      system: "posthog",
      did: "flag.set",
      flag,
      from: before.active,
      to: after.active,
      version: after.version,
    });
  }
  const undo = {
    type: "posthog.flag.set",
    payload: { flag, active: before.active, expected: { active: after.active } },
  };
  return {
    result: {
      ...{ flag, isChange },
      before: { active: before.active, version: before.version },
      after: { active: after.active, version: after.version },
      ...(isChange && { undo }),
      ...(after.active !== active && {
        pending: "PostHog has taken the request, but the flag is as it was; it may wait for an approval there",
      }),
    },
  };
}

export async function runAnnotate(context: Context, run: RunContext<Static<typeof Annotate>>): Promise<RunOutcome> {
  const { content, at = new Date(context.kit.clock()).toISOString(), key = content } = run.payload;
  refuseUnlessMayAct(context);
  await refuseWithoutConsent(context, run);
  const { posthog } = context.kit;
  // There is no idempotency there: whoever runs twice finds the first one.
  const [known] = await posthog.listAnnotations({ search: key }).catch(explain);
  if (known) return { result: { annotationId: known.id, isNew: false } };
  const made = await posthog.createAnnotation(content, at).catch(explain);
  await run.sideEffect({ system: "posthog", did: "annotation.create", annotationId: made.id, content });
  return { result: { annotationId: made.id, isNew: true } };
}

/** A run that is repeated finds the issue that an earlier one has made. */
export async function runCreateIssue(
  context: Context,
  run: RunContext<Static<typeof CreateIssue>>,
): Promise<RunOutcome> {
  const { github, kit } = context;
  if (!kit.mayAct.includes("github")) {
    throw new AgentError("POSTHOG_MAY_ACT does not name github, so nothing is written there.", { code: "not_allowed" });
  }
  await refuseWithoutConsent(context, run);
  if (github === null) {
    throw new AgentError("POSTHOG_ISSUE_REPO and GITHUB_TOKEN are not both set.", { code: "not_configured" });
  }
  const { title, body, key = run.taskId ?? "" } = run.payload;
  const known = await github.findIssue(key).catch(explain);
  if (known) return { result: { ...known, isNew: false } };
  const made = await github.createIssue({ title, body, key }).catch(explain);
  await run.sideEffect({ system: "github", did: "issue.create", repository: github.repository, ...made });
  return { result: { ...made, isNew: true } };
}

/** @throws AgentError when nobody has allowed it, or when it cannot be known now */
async function refuseWithoutConsent(context: Context, { taskId, type, payload }: RunContext): Promise<void> {
  if (taskId === null) throw new AgentError("Only a task can change anything outside.", { code: "not_allowed" });
  const why = await context.findRefusal({ taskId, type, payload }).catch((cause: unknown) => {
    throw new AgentError("It cannot be seen now whether anybody approved this task.", {
      ...{ code: "unavailable", retryable: true, cause },
    });
  });
  if (why !== null) throw new AgentError(why, { code: "not_approved" });
}

/** @throws AgentError */
function refuseUnlessMayAct({ kit }: Context): void {
  if (kit.mayAct.includes("posthog")) return;
  throw new AgentError("POSTHOG_MAY_ACT does not name posthog, so nothing is changed there.", { code: "not_allowed" });
}
