/**
 * Claims tasks for free slots and runs each.
 *
 * If the process dies after a claim, the lease runs out and the reaper takes the task up. If it dies after the agent's
 * answer and before the write, the agent sees the task again: an agent may see one task twice, which the contract says.
 */

import { withDeadline } from "@signalbox/common/drain.ts";
import { buildBell } from "@signalbox/common/tail.ts";
import { leaseMs } from "../lease.ts";
import { type FreeSlot, isHeldUp, type LiveAgent, type Load, planSlots, slotKey } from "../slots.ts";
import type { Claimed, Lease } from "../store/rows.ts";
import { type AttemptOptions, type Run, runAttempt } from "./attempt.ts";

const pollMs = 5_000;
/** After a claim that failed; twice as long after each further one. */
const retryMs = 250;
/** How long a stop waits for the ends of runs to be written, once they have ended. */
const writeGraceMs = 5_000;
/** Slots filled by one claim, or one of each type; more would make one statement long. */
const maxClaim = 200;
/** Of each type, while no more is known to wait: a lone task is not kept waiting by the offer of a hundred slots. */
const firstClaim = 8;

export type DispatchOptions = AttemptOptions & { owner: string; onStarted: () => void };

export class Dispatcher {
  readonly #options: DispatchOptions;
  readonly #bell = buildBell();
  readonly #runs = new Map<string, Run>();
  /** Runs by instance and type. */
  readonly #busy = new Map<string, number>();
  /** Slots that a claim under way may fill. */
  #offered: readonly FreeSlot[] = [];
  #isOpen = false;
  /** Types that had more ready tasks than slots at the last claim, or no slot: only for these is a freed slot worth a claim. */
  #backlog = new Set<string>();
  /** An instance was left alone at the last claim, or was being tried. */
  #isInDoubt = false;
  /** Claims in a row that offered a slot for a probe in vain. */
  #misses = 0;
  /** Claims in a row that failed. */
  #failures = 0;
  #idlers: (() => void)[] = [];

  constructor(options: DispatchOptions) {
    this.#options = options;
  }

  /** There may be something to claim. */
  ring = (): void => this.#bell.ring();

  /** Somebody else ended this attempt: its agent is told to stop, and nothing is written. */
  drop(taskId: string, attempt: number): void {
    const run = this.#runs.get(taskId);
    if (run?.claimed.lease.attempt === attempt) this.#end(run, "ended elsewhere");
  }

  /** These leases are lost, or have not been renewed for too long. */
  lose(leaseIds: ReadonlySet<string>): void {
    for (const run of this.#runs.values()) {
      if (leaseIds.has(run.claimed.lease.leaseId)) this.#end(run, "ended elsewhere");
    }
  }

  leases(): (Lease & { leasedAt: number })[] {
    return [...this.#runs.values()].map(({ claimed, leasedAt }) => ({ ...claimed.lease, leasedAt }));
  }

  busy(): number {
    return this.#runs.size;
  }

  /**
   * Keeps a free slot for each task that is about to be stored, if there is one, until its run begins or it is given back. None
   * for a type of which something may be waiting already, nor while an agent is in doubt.
   */
  reserve(types: readonly string[]): (FreeSlot | null)[] {
    const { roster, circuits } = this.#options;
    const wanted = new Set(types.filter((type) => !this.#backlog.has(type) && roster.offers(type)));
    if (!this.#isOpen || wanted.size === 0 || circuits.states().size > 0) return types.map(() => null);
    const agents = roster
      .agents()
      .map((agent) => ({ ...agent, types: agent.types.filter(({ type }) => wanted.has(type)) }));
    const free = Map.groupBy(planSlots(agents, this.#planned(), maxClaim), ({ type }) => type);
    return types.map((type) => {
      const slots = free.get(type) ?? [];
      const slot = slots.shift() ?? null;
      // With the last one gone the next task waits, and then a slot that becomes free is worth a look.
      if (slots.length === 0 && wanted.has(type)) this.#backlog.add(type);
      if (slot !== null) this.#count(slot, 1);
      return slot;
    });
  }

  /** Runs that others hold, or nobody, keep this orchestrator from a slot that may be free by now. */
  isHeldUp(type: string): boolean {
    const { roster } = this.#options;
    return roster.others().size > 0 && isHeldUp(roster.agents(), this.#planned(), type);
  }

  /** It was not needed. */
  giveBack(slot: FreeSlot): void {
    this.#count(slot, -1);
    if (this.#backlog.has(slot.type)) this.#bell.ring();
  }

  /** Runs a task that was stored as claimed, in the slot that was kept for it. */
  start(claimed: Claimed, leasedAt: number): void {
    this.#count(placeOf(claimed), -1);
    this.#start(claimed, leasedAt);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#isOpen = !signal.aborted;
    const close = () => {
      this.#isOpen = false;
    };
    signal.addEventListener("abort", close, { once: true });
    while (!signal.aborted) {
      const isMore = await this.#claim().catch((error: unknown) => {
        this.#options.log.warn({ err: error }, "a claim failed; it will be tried again");
        this.#failures++;
        return false;
      });
      if (!isMore) await this.#bell.heard(this.#pauseMs(), signal);
    }
  }

  /** Waits for the runs under way, then hands back what is left; in bounded time. */
  async drain(graceMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const run of this.#runs.values()) this.#end(run, "released");
    }, graceMs);
    // With the database away, ends cannot be written; the leases of those runs expire.
    await withDeadline(this.#idle(), graceMs + writeGraceMs, "the end of the last runs").catch(() => undefined);
    clearTimeout(timer);
  }

  async #idle(): Promise<void> {
    if (this.#runs.size > 0) await new Promise<void>((resolve) => this.#idlers.push(resolve));
    await this.#options.finishes.idle();
  }

  #pauseMs(): number {
    const soonMs = this.#failures === 0 ? pollMs : Math.min(pollMs, retryMs * 2 ** (this.#failures - 1));
    const pollsInMs = soonMs * (0.9 + 0.2 * Math.random());
    return Math.min(pollsInMs, this.#options.circuits.nextProbeMs() ?? pollsInMs);
  }

  #end(run: Run, fate: Run["fate"]): void {
    run.fate = fate;
    run.abort.abort();
  }

  /** True when there is probably more to claim at once. */
  async #claim(): Promise<boolean> {
    const { roster, onStarted } = this.#options;
    const known = new Set(this.#backlog);
    const perType = known.size === 0 ? firstClaim : maxClaim;
    const doubted = this.#doubted();
    const types = typesOf(roster.agents());
    const most = Math.max(maxClaim, types.length);
    const slots = planSlots(roster.agents(), this.#planned(doubted), most, perType);
    const offered = new Set(slots.map((slot) => slot.type));
    // Nobody looks now whether anything of these waits; of the others, whoever comes to run them rings.
    const full = types.filter((type) => !offered.has(type));
    this.#backlog = new Set([...full, ...[...offered].filter((type) => known.has(type))]);
    const claimed = slots.length === 0 ? [] : await this.#fill(slots);
    this.#failures = 0;
    // A type that is full had no slot to offer: what was known of it still holds, and so does what was learned meanwhile.
    const still = [...this.#backlog].filter((type) => !offered.has(type) || !known.has(type));
    const more = typesWithMore(slots, claimed);
    this.#backlog = new Set([...still, ...more]);
    if (claimed.length > 0) onStarted();
    const isMissed = doubted.some(({ instance }) => isUnfilled(instance, slots, claimed));
    this.#misses = isMissed ? (this.#misses + 1) % typesOf(doubted).length : 0;
    if (this.#misses > 0) return true;
    return more.size > 0 && (known.size === 0 || slots.length >= most);
  }

  /** Instances that are to be tried with a single run. */
  #doubted(): LiveAgent[] {
    const states = this.#options.circuits.states();
    this.#isInDoubt = states.size > 0;
    return this.#options.roster.agents().filter(({ instance }) => states.get(instance) === "half_open");
  }

  /** Claims for these slots and runs what was claimed; until then they are nobody else's. */
  async #fill(slots: readonly FreeSlot[]): Promise<Claimed[]> {
    const { store, owner } = this.#options;
    this.#offered = slots;
    const leasedAt = performance.now();
    try {
      const claimed = await store.claimTasks(slots, { owner, ms: leaseMs });
      for (const task of claimed) this.#start(task, leasedAt);
      return claimed;
    } finally {
      this.#offered = [];
    }
  }

  #start(claimed: Claimed, leasedAt: number): void {
    const run: Run = { claimed, leasedAt, abort: new AbortController(), fate: "running" };
    this.#runs.set(claimed.task.id, run);
    this.#count(placeOf(claimed), 1);
    const message = "a run broke off; its lease will expire and it will be retried";
    const { instance } = claimed;
    void runAttempt(run, this.#options)
      .then((isDeferred) => isDeferred && this.#options.roster.addOther(instance, claimed.task.type))
      .catch((error: unknown) => this.#options.log.error({ err: error, taskId: claimed.task.id }, message))
      .finally(() => this.#settle(run));
  }

  #settle(run: Run): void {
    const { task } = run.claimed;
    if (this.#runs.get(task.id) === run) this.#runs.delete(task.id);
    this.#count(placeOf(run.claimed), -1);
    // The end of a probe opens the way for the rest, whatever was known of their type.
    if (this.#backlog.has(task.type) || this.#isInDoubt) this.#bell.ring();
    if (this.#runs.size > 0) return;
    for (const resolve of this.#idlers) resolve();
    this.#idlers = [];
  }

  #count({ instance, type }: Place, by: 1 | -1): void {
    const key = slotKey(instance, type);
    const left = (this.#busy.get(key) ?? 0) + by;
    if (left > 0) this.#busy.set(key, left);
    else this.#busy.delete(key);
  }

  /**
   * The load with what a claim under way may fill, and the share of this orchestrator in what is free.
   *
   * @param doubted get a run of one type; which, changes as long as there was none
   */
  #planned(doubted: readonly LiveAgent[] = []): Load {
    const load = this.load();
    const [running, own] = [new Map(load.running), new Map(this.#busy)];
    for (const { instance, type } of this.#offered) {
      const key = slotKey(instance, type);
      for (const counts of [running, own]) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const first = typesOf(doubted)[this.#misses];
    return {
      ...load,
      running,
      share: { own, ...this.#options.roster.standing() },
      ...(first !== undefined && { first }),
    };
  }

  /** What runs here and elsewhere, as far as this orchestrator knows, and which instances are left alone. */
  load(): Load {
    const all = new Map(this.#options.roster.others());
    for (const [key, own] of this.#busy) all.set(key, (all.get(key) ?? 0) + own);
    return { running: all, circuits: this.#options.circuits.states() };
  }
}

type Place = Pick<FreeSlot, "instance" | "type">;

function placeOf({ instance, task }: Claimed): Place {
  return { instance, type: task.type };
}

function typesOf(agents: readonly LiveAgent[]): string[] {
  return [...new Set(agents.flatMap((agent) => agent.types.map(({ type }) => type)))];
}

function isUnfilled(instance: string, slots: readonly FreeSlot[], claimed: readonly Claimed[]): boolean {
  const isThere = (one: { instance: string }) => one.instance === instance;
  return slots.some(isThere) && !claimed.some(isThere);
}

function typesWithMore(slots: readonly FreeSlot[], claimed: readonly Claimed[]): Set<string> {
  const left = new Map<string, number>();
  for (const { type } of slots) left.set(type, (left.get(type) ?? 0) + 1);
  for (const { task } of claimed) left.set(task.type, (left.get(task.type) ?? 0) - 1);
  return new Set([...left].filter(([, free]) => free === 0).map(([type]) => type));
}
