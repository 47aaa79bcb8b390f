import { createHash } from "node:crypto";
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { newTrace } from "@signalbox/common/trace.ts";
import { canonical } from "../blueprint.ts";
import { findDrifts } from "../blueprint-drift.ts";
import { toFingerprint } from "../blueprint-live.ts";
import type { SeenTask, TaskClient } from "../clients/orchestrator.ts";
import { findWitness, type Witness } from "../drift-witness.ts";
import type { AuditEntry } from "../render-shapes.ts";
import type { BlueprintStore } from "../store/blueprints.ts";
import type { KnownDrift } from "../store/drifts.ts";
import { toTask } from "./apply-tending.ts";
import type { Draft, Planner } from "./planner.ts";

/*
 * Compares Render with the blueprint from time to time, and proposes an apply where one would help: one task for one state of
 * things, which waits for a person, and one notice. In an account that no apply has touched yet nothing is proposed.
 *
 *   the state stays       the task stays; a person who canceled or rejected it has said no to this state, and it is not asked again
 *   the state changes     what was proposed would be stale: a new task is made, and the old one is withdrawn
 *   nothing differs       whatever still asks is withdrawn
 *   an apply failed       the same is proposed anew, which takes a person's approval again
 *
 * The order is task, notice, row, withdrawal. Each of them can be done again and comes to the same, so a process that dies in between
 * leaves nothing that the next look does not finish.
 */

export type DriftWatch = ReturnType<typeof buildDriftWatch>;

export type ShownDrift = KnownDrift & { whoCanTell: Witness | null };

export type DriftOptions = {
  planner: Planner;
  store: BlueprintStore;
  tasks: TaskClient;
  /** what was done in a workspace, newest first; nothing where Render does not tell */
  readAudit(account: string, signal: AbortSignal): Promise<AuditEntry[]>;
  log: () => Log;
  /** 0: only when somebody asks */
  everyMinutes: number;
};

/** People are asked today and answer next week. */
const keepPlanSeconds = 14 * 86_400;
const shownAtMost = 5;
/** What tells the tasks from here from everybody else's. */
const source = "renderctl drift";

/** What is asked of people about differences. */
function buildProposals({ planner, store, tasks, log }: Omit<DriftOptions, "everyMinutes" | "readAudit">) {
  /** The task that was made for just this state, and still counts. */
  async function findStanding({ seen }: Draft, drifts: readonly KnownDrift[], signal: AbortSignal) {
    const [taskId = null, ...others] = new Set(drifts.map((drift) => drift.taskId));
    if (taskId === null || others.length > 0) return null;
    const task = await tasks.find(taskId, signal);
    const { planId = "" } = (task?.payload ?? {}) as { planId?: string };
    const plan = task === null || isOver(task) ? null : await store.findPlan(planId);
    return plan?.fingerprint === toFingerprint(seen) ? taskId : null;
  }

  async function propose(draft: Draft, drifts: readonly KnownDrift[], signal: AbortSignal): Promise<string> {
    const plan = await planner.keep(draft, "service:renderctl", keepPlanSeconds);
    const reason = `Render differs from the blueprint: ${placesOf(drifts)}`;
    const wanted = { ...toTask(plan.id), source, approval: { required: true as const, reason } };
    for (let key = keyOf(draft, drifts); ; ) {
      const wanting = { onBehalfOf: null, trace: newTrace(), idempotencyKey: key };
      const taskId = await tasks.ensure(wanted, wanting, signal);
      const task = await tasks.find(taskId, signal);
      if (task === null || !isOver(task)) return taskId;
      key = `drift:after:${taskId}`;
    }
  }

  /** Makes sure that a person is asked about what differs now, and tells it; the task that asks. */
  async function ensureProposed(draft: Draft, drifts: readonly KnownDrift[], signal: AbortSignal): Promise<string> {
    const standing = await findStanding(draft, drifts, signal);
    if (standing !== null) return standing;
    const taskId = await propose(draft, drifts, signal);
    const text = `Render differs from the blueprint: ${placesOf(drifts)}. Applying it again waits for approval.`;
    const about = { dedupeKey: `drift:${taskId}`, incident: `task:${taskId}`, taskId };
    // What rings is that a decision is wanted; this stands in the same thread, and says what happened.
    await tasks.tell({ text, severity: "info", kind: "drift", ...about }, signal);
    await store.bindDrifts(draft.account, taskId);
    log().warn({ taskId, drifts: drifts.length }, "Render differs from the blueprint; an apply waits for approval");
    return taskId;
  }

  async function withdraw(except: string | null, signal: AbortSignal): Promise<void> {
    const reason = except === null ? "Render is as the blueprint says again." : `Task ${except} has taken its place.`;
    for (const { id } of await tasks.listAsking(source, signal)) {
      if (id !== except) await tasks.cancel(id, reason, signal);
    }
  }

  return { ensureProposed, withdraw };
}

export function buildDriftWatch({ everyMinutes, ...kit }: DriftOptions) {
  const { planner, store, log } = kit;
  const { ensureProposed, withdraw } = buildProposals(kit);

  async function look(signal: AbortSignal): Promise<{ draft: Draft; drifts: KnownDrift[] }> {
    const draft = await planner.draft({ prune: false }, signal);
    return { draft, drifts: await store.syncDrifts(draft.account, findDrifts(draft.scene, draft.plan.orphans)) };
  }

  async function watch(signal: AbortSignal): Promise<void> {
    const { draft, drifts } = await look(signal);
    const isTouched = (await store.listManaged(draft.account)).length > 0;
    if (!isTouched || (await store.findRunning(draft.account))) return;
    const helps = draft.plan.steps.length > 0 && drifts.length > 0;
    await withdraw(helps ? await ensureProposed(draft, drifts, signal) : null, signal);
  }

  return {
    async list(signal: AbortSignal): Promise<ShownDrift[]> {
      const { draft, drifts } = await look(signal);
      const entries = drifts.length === 0 ? [] : await kit.readAudit(draft.account, signal);
      return drifts.map((drift) => ({ ...drift, whoCanTell: findWitness(drift, draft.scene.live, entries) }));
    },
    watch,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted && everyMinutes > 0) {
        await rest(everyMinutes * 60_000 * (0.9 + 0.2 * Math.random()), signal);
        if (signal.aborted) return;
        await watch(signal).catch((err: unknown) => {
          if (!signal.aborted)
            log().warn({ err }, "Render could not be compared with the blueprint; this will be tried again");
        });
      }
    },
  };
}

function placesOf(drifts: readonly KnownDrift[]): string {
  const where = drifts.slice(0, shownAtMost).map(({ resource, field }) => `${resource} ${field}`.trim());
  return `${where.join(", ")}${drifts.length > shownAtMost ? " and more" : ""}`;
}

/** Whether it asks no more, though nobody has said no: it was carried out, has failed, or was withdrawn from here. */
function isOver({ status, events = [] }: SeenTask): boolean {
  if (status === "completed" || status === "failed") return true;
  const last = events.findLast(({ kind }) => kind === "canceled");
  return status === "canceled" && last?.actor.startsWith("service:") === true;
}

/** The same for every process that sees this state of things, and another one when it comes back later. */
function keyOf({ seen }: Draft, drifts: readonly KnownDrift[]): string {
  const since = Math.max(...drifts.map((drift) => drift.since.getTime()));
  return `drift:${since}:${createHash("sha256").update(canonical(seen)).digest("hex").slice(0, 40)}`;
}
