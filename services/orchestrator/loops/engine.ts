/** What claims, runs, ends, renews, reaps and wakes: the loops of the engine, wired to each other. */

import type { Task } from "@signalbox/common/contracts/task.ts";
import type { Doorbell } from "@signalbox/common/doorbell.ts";
import type { Log } from "@signalbox/common/log.ts";
import { type AgentClient, buildAgentClient } from "../clients/agent.ts";
import type { NewTask } from "../new-task.ts";
import type { Store } from "../store.ts";
import { hasEnded } from "../transition.ts";
import type { RunWatch } from "./attempt.ts";
import { buildCircuits } from "./circuits.ts";
import { Dispatcher } from "./dispatch.ts";
import { buildFinishQueue } from "./finish-queue.ts";
import type { Hub } from "./hub.ts";
import { buildInsertQueue, type InsertQueue } from "./insert-queue.ts";
import { buildLeaseKeeper, buildReaper } from "./leases.ts";
import { buildRoster, type Roster } from "./roster.ts";
import { buildScheduler } from "./scheduler.ts";
import { buildTimers } from "./timers.ts";
import { buildTypeCatalog } from "./type-catalog.ts";

/** Channels of the doorbell between orchestrators. */
export const channels = {
  tasks: "signalbox_tasks",
  events: "signalbox_events",
  agents: "signalbox_agents",
  schedules: "signalbox_schedules",
  subscriptions: "signalbox_subscriptions",
} as const;

const connectionsPerAgent = 256;

export type EngineOptions = {
  store: Store;
  doorbell: Doorbell;
  hub: Hub;
  internalKey: string;
  /** Encrypts the secret members of payloads; null when there is no key. */
  sealingKey: Buffer | null;
  instance: string;
  log: Log;
  watch: RunWatch;
  /** Hides secrets in any JSON value. */
  hide(value: unknown): unknown;
  /** In place of the client that calls agents over HTTP. */
  agents?: AgentClient | undefined;
};

/** What somebody wrote: there may be something to claim (of this type alone, if it is named), or a time to wait for. */
export type Change = { claimable?: boolean; timed?: boolean; type?: string };

export type Engine = ReturnType<typeof buildEngine>;

export function buildEngine(options: EngineOptions) {
  const { store, doorbell, hub, internalKey, sealingKey, instance, log, watch } = options;
  const stopping = new AbortController();
  const halting = new AbortController();
  const agents = options.agents ?? buildAgentClient({ internalKey, connectionsPerAgent, hide: options.hide });
  const routing = { store, doorbell, instance, log, onRoom: () => dispatcher.ring() };
  const { roster, circuits } = buildRouting(routing);
  const finishes = buildFinishQueue({
    store,
    onWritten: changed,
    onError: (error, finish) =>
      log.warn({ err: error, ...(finish && { taskId: finish.lease.taskId }) }, "the end of a run could not be written"),
    signal: halting.signal,
  });
  const onStarted = () => doorbell.ring(channels.events);
  const run = { store, roster, circuits, agents, finishes, sealingKey, log, watch };
  const dispatcher = new Dispatcher({ ...run, owner: instance, onStarted });
  const inserts = buildInsertQueue({ store, dispatcher, owner: instance });
  const leaseKeeper = buildLeaseKeeper({ store, dispatcher, log });
  const reaper = buildReaper({ store, log, finishes });
  const catalog = buildTypeCatalog({ store, roster });
  const scheduler = buildScheduler({ store, catalog, log, onMade: () => changed({ claimable: true, timed: true }) });
  const timers = buildTimers({ store, log, onReady: () => changed({ claimable: true }) });
  let claiming: Promise<void> = Promise.resolve();
  let loops: Promise<unknown>[] = [];

  function changed({ claimable = false, timed = false, type }: Change): void {
    doorbell.ring(channels.events);
    // An agent that comes rings for itself.
    if (claimable && (type === undefined || roster.offers(type))) doorbell.ring(channels.tasks);
    if (timed) timers.ring();
  }

  return {
    insertTask: (task: NewTask) => insertAndTell(inserts, changed, task),
    roster,
    catalog,
    scheduler,
    dispatcher,
    circuits,
    changed,
    /** While runs are drained, callers are better off elsewhere. */
    checks: () =>
      stopping.signal.aborted ? [{ name: "accepting", ok: false, message: "the service is stopping" }] : [],
    start(): void {
      doorbell.on(channels.tasks, dispatcher.ring);
      doorbell.on(channels.schedules, scheduler.ring);
      doorbell.on(channels.agents, () => {
        roster.ring();
        dispatcher.ring();
      });
      watchRuns({ hub, dispatcher, roster });
      claiming = dispatcher.run(stopping.signal);
      loops = [roster, reaper, timers, scheduler].map((loop) => loop.run(stopping.signal));
      loops.push(claiming, leaseKeeper.run(halting.signal));
    },
    async stop(graceMs: number): Promise<void> {
      stopping.abort();
      // A claim or a task that is being stored may still bring runs, and they are to be drained too.
      await Promise.all([claiming, inserts.underWay()]);
      await dispatcher.drain(graceMs);
      halting.abort();
      await Promise.all(loops);
      await roster.leave();
      await agents.close();
    },
  };
}

async function insertAndTell(
  inserts: InsertQueue,
  changed: (what: Change) => void,
  task: NewTask,
): Promise<Task | null> {
  const stored = await inserts.insert(task);
  if (stored === null) return null;
  const { task: made, isStarted } = stored;
  const isTimed = task.runAt !== null || made.approval !== null;
  changed({ claimable: made.status === "queued" && !isStarted, timed: isTimed, type: made.type });
  return made;
}

type Routing = Pick<EngineOptions, "store" | "doorbell" | "instance" | "log"> & { onRoom: () => void };

/** Which agents there are, and which of them are well. */
function buildRouting({ store, doorbell, instance, log, onRoom }: Routing) {
  const circuits = buildCircuits({ log });
  const roster = buildRoster({
    store,
    owner: instance,
    onHeard: () => doorbell.ring(channels.agents),
    // The free slot may be another's.
    onNews: () => doorbell.ring(channels.tasks),
    onRefreshed: (hasMadeRoom) => {
      circuits.keep(new Set(roster.agents().map((agent) => agent.instance)));
      if (hasMadeRoom) onRoom();
    },
    onError: (error) => log.warn({ err: error }, "the agents could not be read; this will be tried again"),
  });
  return { roster, circuits };
}

/**
 * Somebody ended or took away a run. If it is ours, its agent is told to stop; if it stood in our way, its slot is counted anew: it
 * may be one that was deferred, or that another orchestrator held.
 */
function watchRuns({ hub, dispatcher, roster }: { hub: Hub; dispatcher: Dispatcher; roster: Roster }): void {
  hub.onStep(({ taskId, type, status, attempt }) => {
    if (hasEnded(status) || status === "waiting") dispatcher.drop(taskId, attempt);
    if (attempt > 0 && status !== "running" && dispatcher.isHeldUp(type)) roster.ring();
  });
}
