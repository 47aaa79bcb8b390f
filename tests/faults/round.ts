import { setTimeout as pause } from "node:timers/promises";
import type { TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { checkFrames, type FrameCounts, type Position } from "./check-frames.ts";
import { checkState, residentMb } from "./check-state.ts";
import { checkTasks } from "./check-tasks.ts";
import type { Client } from "./client.ts";
import { tellEvidence } from "./evidence.ts";
import { History } from "./history.ts";
import { type LogSender, startLogSender } from "./log-sender.ts";
import { NewLines } from "./new-lines.ts";
import { hurry, startPeople } from "./people.ts";
import type { PlannedRound } from "./plan.ts";
import type { RoundRow } from "./report.ts";
import { readRuns } from "./runs.ts";
import type { Scene } from "./scene.ts";
import { type Schedules, startSchedules } from "./schedules.ts";
import { startLoad, userCount } from "./users.ts";
import { startWatcher, type Wanted, type Watcher } from "./watchers.ts";
import type { World } from "./world.ts";

/*
 * One round: a mixed load, faults in the middle of it, everything mended, a probe until all is well again, no more load, quiet,
 * and then the checker over what clients saw and what the tables hold.
 */

const warmUpMs = 2_500;
const recoveryMs = 120_000;
const quietMs = 240_000;

/** What lives from round to round. */
export class Stage {
  readonly world: World;
  readonly watchers: Watcher[];
  readonly #lines = new NewLines();
  #mostMb = 0;
  #shownUpTo: Position = { event: 0, log: 0 };

  constructor(world: World) {
    this.world = world;
    const wanted = wantedBy(world.orchestrators.length);
    this.watchers = wanted.map((one, at) => startWatcher(world, at, one));
  }

  async play({ label, faults }: PlannedRound): Promise<RoundRow> {
    const { world } = this;
    world.say(`${label}`);
    const before = world.violations.length;
    const marks = await readMarks(world);
    const sampling = this.#sampleMemory();
    const history = new History();
    const people = startPeople(world, label, history);
    const sender = startLogSender(world, label);
    const schedules = await startSchedules(world, label);
    const hasOwnLoad = faults.some(({ isQuiet }) => isQuiet);
    const load = startLoad(world, label, { history, users: hasOwnLoad ? userCount / 5 : userCount });
    await pause(warmUpMs);
    const injected: string[] = [];
    const killed = new Set<string>();
    await Promise.all(
      faults.map((fault) => {
        const dice = world.dice("fault", label, fault.name);
        const scene: Scene = { world, dice, label, killed, history, injected: (what) => note(world, injected, what) };
        return fault.inject(scene).catch((error: Error) => world.violate("suite", `${fault.name}: ${error.stack}`));
      }),
    );
    const recoverySeconds = await this.#recover(label);
    await pause(1_000);
    await load.stop();
    const calmingAt = performance.now();
    await this.#calm({ history, schedules, sender, label });
    const calmSeconds = (performance.now() - calmingAt) / 1_000;
    world.say(`  well again after ${recoverySeconds.toFixed(1)} s, quiet after ${calmSeconds.toFixed(1)} s more`);
    await people.stop();
    const runs = await readRuns(this.#lines, world.runsFiles);
    const tasks = await checkTasks({ world, history, runs, afterSeq: marks.task });
    const frames = await this.#checkFrames();
    await schedules.check();
    await checkState({ world, sender, lines: this.#lines, killed });
    clearInterval(sampling);
    await tellEvidence(world, world.violations.slice(before));
    const maxMb = this.#mostMb;
    this.#mostMb = 0;
    const { repeats, unknown, slowestMs } = load.traffic();
    const row = { label, faults: faults.map(({ name }) => name), injected: injected.length, ...tasks, ...frames };
    world.say(
      `  ${load.posted()} posts, ${repeats} repeated, ${unknown} requests without an answer, slowest answer ${(slowestMs / 1_000).toFixed(1)} s`,
    );
    return { ...row, recoverySeconds, maxMb, violations: world.violations.length - before };
  }

  async close(): Promise<void> {
    await Promise.all(this.watchers.map((watcher) => watcher.stop()));
  }

  /** Seconds from the end of the faults until every orchestrator runs tasks, and no run from before is still held. */
  async #recover(label: string): Promise<number> {
    const { world } = this;
    const startedAt = performance.now();
    const running = await world.query<{ id: string; attempt: number }>(
      "select id, attempt from tasks where status = 'running'",
    );
    await world.heal();
    const healedMs = performance.now() - startedAt;
    if (healedMs > 1_000) world.say(`  everything runs again after ${(healedMs / 1_000).toFixed(1)} s`);
    const client = world.client("probe", label);
    const limit = { timeoutMs: recoveryMs, everyMs: 100 };
    await Promise.all(
      world.orchestrators.map(({ url, name }) =>
        eventually(() => probe(client, url), { ...limit, what: `a task that runs at ${name}` }),
      ),
    ).catch((error: Error) => world.violate("recovery", error.message));
    const isOver = async () => {
      const [row] = await world.query<{ n: number }>(
        `select count(*)::int as n from tasks t join unnest($1::uuid[], $2::int[]) v (id, attempt) using (id, attempt)
          where t.status = 'running'`,
        [running.map(({ id }) => id), running.map(({ attempt }) => attempt)],
      );
      return row?.n === 0;
    };
    await eventually(isOver, { ...limit, what: "the end of the runs from before" }).catch((error: Error) =>
      world.violate("recovery", error.message),
    );
    return (performance.now() - startedAt) / 1_000;
  }

  /** Until nothing is open any more. */
  async #calm(scene: { history: History; schedules: Schedules; sender: LogSender; label: string }): Promise<void> {
    const { world } = this;
    await Promise.all([scene.schedules.stop(), scene.sender.stop()]);
    const client = world.client("calm", scene.label);
    const isCalm = async () => {
      await hurry(client, scene.history);
      const [row] = await world.query<{ n: number }>(
        "select count(*)::int as n from tasks where status in ('queued', 'running', 'waiting')",
      );
      return row?.n === 0;
    };
    await eventually(isCalm, { timeoutMs: quietMs, everyMs: 500, what: "quiet" }).catch(async (error: Error) => {
      world.violate("quiet", `${error.message}; ${await describeOpen(client)}`);
    });
  }

  async #checkFrames(): Promise<FrameCounts> {
    const upTo = await readMarks(this.world);
    const counts = await checkFrames(this.world, this.watchers, { after: this.#shownUpTo, upTo });
    this.#shownUpTo = upTo;
    return counts;
  }

  #sampleMemory(): NodeJS.Timeout {
    const sample = async () => {
      const sizes = await Promise.all(this.world.members.map(({ pid }) => (pid === 0 ? 0 : residentMb(pid))));
      this.#mostMb = Math.max(this.#mostMb, ...sizes);
    };
    return setInterval(() => void sample(), 500);
  }
}

function note(world: World, injected: string[], what: string): void {
  injected.push(what);
  world.say(`  ${what}`);
}

const ownWatchers = 14;

/** Who sees everything, one at each orchestrator or more; some who see logs, and some who see their own. */
function wantedBy(orchestrators: number): Wanted[] {
  const whole: Wanted[] = Array.from({ length: Math.max(4, orchestrators) }, () => ({ types: "task" }));
  const logs: Wanted[] = Array.from({ length: 2 }, () => ({ types: "log", service: "faults-sender" }));
  const own: Wanted[] = Array.from({ length: ownWatchers }, (_, user) => ({
    types: "task",
    correlationId: `user-${user}`,
  }));
  return [...whole, ...logs, ...own];
}

async function readMarks(world: World): Promise<Position & { task: number }> {
  const [row] = await world.query<{ task: string; event: string; log: string }>(
    `select (select coalesce(max(seq), 0) from tasks) as task, (select coalesce(max(seq), 0) from task_events) as event,
            (select coalesce(max(seq), 0) from logs) as log`,
  );
  return { task: Number(row?.task), event: Number(row?.event), log: Number(row?.log) };
}

async function probe(client: Client, base: string): Promise<boolean> {
  const body = { type: "quick", payload: { kind: "probe" }, maxAttempts: 25 };
  const reply = await client.once("/task", {
    method: "POST",
    body,
    headers: { prefer: "wait=3" },
    base,
    timeoutMs: 6_000,
  });
  return reply?.status === 201 && reply.body.status === "completed";
}

async function describeOpen(client: Client): Promise<string> {
  const list = await client.persist<TaskList>("/tasks?status=queued,running,waiting&limit=200", { giveUpMs: 10_000 });
  const open = list?.body?.items ?? [];
  const whys = await Promise.all(
    open.slice(0, 5).map(async ({ id, type, status }) => {
      const task = await client.once<TaskWithEvents>(`/task/${id}`);
      return `${id} (${type}) is ${status}: ${JSON.stringify(task?.body?.why ?? null)}`;
    }),
  );
  return `${open.length} tasks are open: ${whys.join("; ")}`;
}
