/*
 * What is to be done about a finding, and whether anybody has to be asked. Severity never turns a proposal into an action: only the
 * mode and the explicit list of types do, one action at a time, so many a day, and not while somebody has stopped it.
 */
import type { CreateTask } from "@signalbox/common/contracts/task.ts";
import type { Finding } from "./finding.ts";
import type { Monitor, Severity } from "./monitor.ts";

export type Mode = "observe" | "propose" | "execute";
export type Integration = "posthog" | "render" | "github" | "telegram";

export type Consent = {
  mode: Mode;
  /** task types that may run unasked in mode execute */
  allow: readonly string[];
  /** integrations in which anything may be done at all */
  mayAct: readonly Integration[];
  /** only these flags may be set; empty: all */
  flags: readonly string[];
  /** somebody has pulled the brake */
  isStopped: boolean;
  /** another unasked action is under way */
  isBusy: boolean;
  /** unasked actions that are left today */
  leftToday: number;
  /** flags as they are now, so that whoever approves a change approves it of this */
  seenFlags: ReadonlyMap<string, { active: boolean; version: number | null }>;
};

export type Planned =
  | { kind: "propose" | "execute"; task: CreateTask }
  | { kind: "not_proposed"; type: string; why: string };

/** Nobody decides in time for ever. */
const approvalSeconds = 24 * 3_600;
const source = "posthog-watcher";

const order: Record<Severity, number> = { info: 0, warning: 1, critical: 2 };

type About = Pick<Finding, "id" | "title" | "severity" | "evidence">;

export function planProposals(monitor: Monitor, finding: About, consent: Consent): Planned[] {
  if (consent.mode === "observe") return [];
  let unasked = consent.isBusy ? 0 : Math.min(1, consent.leftToday);
  return monitor.proposals
    .filter(({ when }) => order[finding.severity] >= order[when])
    .map(({ type, payload }) => {
      const why = refuse(type, payload, consent);
      if (why !== null) return { kind: "not_proposed", type, why };
      const isUnasked = consent.mode === "execute" && consent.allow.includes(type) && !consent.isStopped && unasked > 0;
      if (isUnasked) unasked -= 1;
      return {
        kind: isUnasked ? "execute" : "propose",
        task: toTask({ type, payload: fillIn(type, payload, { consent, finding }) }, finding, isUnasked),
      };
    });
}

/** Why it may not even be proposed; null when it may. */
function refuse(type: string, payload: Record<string, unknown>, { mayAct, flags }: Consent): string | null {
  const integration = integrationOf(type);
  if (integration !== null && !mayAct.includes(integration)) return `POSTHOG_MAY_ACT does not name ${integration}`;
  const { flag } = payload;
  if (type === "posthog.flag.set" && flags.length > 0 && !flags.includes(String(flag))) {
    return `the flag ${String(flag)} is not among POSTHOG_PIN_FLAGS`;
  }
  return null;
}

/** What a definition need not say, because the finding does. */
function fillIn(
  type: string,
  payload: Record<string, unknown>,
  { consent, finding }: { consent: Consent; finding: About },
): Record<string, unknown> {
  if (type !== "github.issue.create") return withExpected(type, payload, consent);
  const { id, title } = finding;
  return { title: title.slice(0, 256), body: reasonOf(finding), key: `finding:${id}`, ...payload };
}

function reasonOf({ id, title, evidence }: About): string {
  return `${title}. Since ${evidence.since}; finding ${id}.`;
}

function withExpected(type: string, payload: Record<string, unknown>, { seenFlags }: Consent): Record<string, unknown> {
  const seen = type === "posthog.flag.set" ? seenFlags.get(String(payload.flag)) : undefined;
  if (seen === undefined || payload.expected !== undefined) return payload;
  const { active, version } = seen;
  return { ...payload, expected: { active, ...(version !== null && { version }) } };
}

function integrationOf(type: string): Integration | null {
  const [, name] = /^(posthog|render|github|telegram)\./.exec(type) ?? [];
  return (name as Integration | undefined) ?? null;
}

/** The finding that explains it is named by the correlation, and the numbers stand in the reason, for whoever decides. */
export function toTask(
  { type, payload }: { type: string; payload: Record<string, unknown> },
  finding: About,
  isUnasked: boolean,
): CreateTask {
  const reason = reasonOf(finding);
  return {
    type,
    payload,
    source,
    correlationId: `finding:${finding.id}`,
    ...(!isUnasked && {
      approval: { required: true, reason: reason.slice(0, 2_000), expiresInSeconds: approvalSeconds },
    }),
  };
}

/** Types that may never run unasked, and so may not be on the list. */
export function findForbidden(allow: readonly string[]): string[] {
  return allow.filter((type) => type.startsWith("render."));
}

/** The start of the UTC day, from which the day's budget counts. */
export function startOfDay(now: number): number {
  return now - (now % 86_400_000);
}

/** What an action leaves behind to take it back with: `result.undo` of its task. */
export function toUndo(result: unknown): { type: string; payload: Record<string, unknown> } | null {
  if (typeof result !== "object" || result === null || !("undo" in result)) return null;
  const { undo } = result as { undo: unknown };
  if (typeof undo !== "object" || undo === null) return null;
  const { type, payload } = undo as { type?: unknown; payload?: unknown };
  if (typeof type !== "string" || typeof payload !== "object" || payload === null) return null;
  return { type, payload: payload as Record<string, unknown> };
}
