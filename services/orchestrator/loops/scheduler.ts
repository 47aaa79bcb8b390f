/** Fires schedules that are due, whichever orchestrator gets to them first (see store/schedules.ts). */
import type { Schedule, ScheduledTask } from "@signalbox/common/contracts/schedule.ts";
import { ApiError } from "@signalbox/common/errors.ts";
import type { Log } from "@signalbox/common/log.ts";
import { buildBell } from "@signalbox/common/tail.ts";
import { newTrace } from "@signalbox/common/trace.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { type NewTask, toNewTask } from "../new-task.ts";
import { planFires } from "../schedule.ts";
import { findSecretMembers } from "../secret-members.ts";
import type { Fired } from "../store/schedules.ts";
import type { Store } from "../store.ts";
import type { TypeEntry } from "../type-book.ts";
import { toPauseMs } from "./pause.ts";
import type { TypeCatalog } from "./type-catalog.ts";

const sweepMs = 3_600_000;
const retryMs = 1_000;
const maxForgotten = 10_000;

export type Scheduler = {
  ring(): void;
  run(signal: AbortSignal): Promise<void>;
  /** The task of one fire, or why it cannot be made. */
  toTask(schedule: Schedule, by: string, isPerson: boolean): Promise<NewTask | { failed: string }>;
};

type Options = {
  store: Store;
  catalog: Pick<TypeCatalog, "find" | "checkPayload">;
  log: Log;
  onMade: () => void;
};

export function buildScheduler(options: Options): Scheduler {
  const { store, log, onMade } = options;
  const bell = buildBell();
  let sweptAt = Number.NEGATIVE_INFINITY;
  /** Passed over while others are due. */
  const failing = new Set<string>();

  /** Null: nothing is due, or only what has just failed. */
  async function fire(): Promise<Fired | null> {
    const tried: string[] = [];
    try {
      return await store.fireNext(
        failing,
        (due) => {
          tried.push(due.schedule.id);
          return planFires(due.timing, due.schedule.missed, due.dueMs, due.nowMs);
        },
        async (due, fireMs) => {
          // A person wrote the schedule; that is no consent to what it makes at night.
          const task = await toTask(options, due.schedule, { by: `schedule:${due.schedule.id}`, isPerson: false });
          // Due when it was foretold, however much later somebody was there to make it.
          return "failed" in task ? task : { ...task, runAt: new Date(fireMs).toISOString() };
        },
      );
    } catch (error) {
      const [scheduleId] = tried;
      if (scheduleId === undefined) throw error;
      log.warn({ err: error, scheduleId }, "a schedule could not be fired; this will be tried again");
      failing.add(scheduleId);
      return { scheduleId, tasks: 0, failed: null };
    }
  }

  /** Milliseconds until it is worth looking again. */
  async function tick(): Promise<number> {
    const fired = await fire();
    if (fired === null && failing.size === 0) return await idle();
    if (fired === null) {
      failing.clear();
      return retryMs;
    }
    if (fired.failed !== null)
      log.warn({ scheduleId: fired.scheduleId, reason: fired.failed }, "a schedule's task could not be made");
    if (fired.tasks > 0) onMade();
    return 0;
  }

  async function idle(): Promise<number> {
    if (performance.now() - sweptAt > sweepMs) {
      sweptAt = performance.now();
      // When there is more, the next look goes on.
      if ((await store.forgetFires(maxForgotten)) === maxForgotten) sweptAt = Number.NEGATIVE_INFINITY;
    }
    return toPauseMs(await store.nextFireInMs());
  }

  return {
    ring: bell.ring,
    toTask: (schedule, by, isPerson) => toTask(options, schedule, { by, isPerson }),
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = await tick().catch((error: unknown) => {
          log.warn({ err: error }, "the schedules could not be read; this will be tried again");
          return retryMs;
        });
        if (waitMs > 0) await bell.heard(waitMs, signal);
      }
    },
  };
}

type Maker = Pick<Options, "store" | "catalog">;

async function toTask(
  maker: Maker,
  schedule: Schedule,
  { by, isPerson }: { by: string; isPerson: boolean },
): Promise<NewTask | { failed: string }> {
  const body = { ...schedule.task, source: schedule.task.source ?? `schedule:${schedule.name}`.slice(0, 200) };
  const type = await maker.catalog.find(body.type);
  if (type === null) return { failed: `no agent has ever registered the type ${body.type}` };
  const failed = await judge(maker, type, body);
  if (failed !== null) return { failed };
  const caller = { actor: by, isPerson, traceId: newTrace().traceId, correlationId: null };
  return { ...toNewTask(uuidv7(), body, type, caller), raw: null, secrets: null, idempotency: null };
}

/** Why there can be no such task; null when there can. */
async function judge(
  { store, catalog }: Maker,
  type: TypeEntry,
  { payload, parentId }: ScheduledTask,
): Promise<string | null> {
  // PostgreSQL would refuse it, and with it the turn of whatever else is due.
  if (parentId !== undefined && (await store.findTask(parentId)) === null)
    return `there is no task ${parentId} that it could be below`;
  const given = payload === undefined ? {} : payload;
  // The type's schema may have become stricter since the schedule was written.
  const [secret] = type.payloadSchema === null ? [] : findSecretMembers(type.payloadSchema, given);
  if (secret !== undefined) return `${secret} of its payload is a secret by now, which a schedule cannot hold`;
  try {
    catalog.checkPayload(type, given);
    return null;
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}
