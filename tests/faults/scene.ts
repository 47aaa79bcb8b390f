import { setTimeout as pause } from "node:timers/promises";
import type { Dice } from "@signalbox/testing/dice.ts";
import type { History } from "./history.ts";
import type { Member } from "./member.ts";
import type { World } from "./world.ts";

/** What a fault is played in; its throws come from `dice` alone, so that a seed plays it again. */
export type Scene = {
  world: World;
  dice: Dice;
  label: string;
  /** Says what was just done, and counts it. */
  injected(what: string): void;
  /** Killed without a goodbye: lines that it had not sent are gone. */
  killed: Set<string>;
  /** What the fault's own clients ask for is judged with everything else. */
  history: History;
};

export type Fault = {
  name: string;
  /** For people, in the list of faults. */
  about: string;
  /** Injects it, lets it last and takes it away again; whatever is still broken then, the suite mends. */
  inject(scene: Scene): Promise<void>;
  /** Brings a load of its own. */
  isQuiet?: boolean;
};

export function lasting(ms: number): Promise<void> {
  return pause(ms);
}

/** SIGKILL at a random moment, and back again a little later, as a supervisor does it. */
export async function killAndRestart(scene: Scene, member: Member): Promise<void> {
  const { dice } = scene;
  await lasting(dice.between(0, 900));
  await member.end("SIGKILL");
  scene.killed.add(member.name);
  scene.injected(`SIGKILL of ${member.name}`);
  await lasting(dice.between(300, 2_500));
  await member.start();
}

export type HeldRun = { id: string; attempt: number; version: number };

/** Leases that a process holds, by the number in the name of its owner. */
export async function leasesOf(world: World, pid: number): Promise<HeldRun[]> {
  return world.query("select id, attempt, version from tasks where status = 'running' and lease_owner like $1", [
    `%-${pid}-%`,
  ]);
}

/** Waits until a process holds so many runs: without calls in flight there is little to lose. Not for long. */
export async function untilBusy({ world }: Scene, member: Member, runs: number): Promise<void> {
  for (let tries = 0; tries < 80; tries++) {
    if ((await leasesOf(world, member.pid)).length >= runs) return;
    await lasting(50);
  }
}

const promisedSeconds = 35;
/** A busy machine is late everywhere. */
const graceSeconds = 4;

/**
 * The promise: within a lease and five seconds of their orchestrator's death runs are taken up, or have ended otherwise.
 * What ended a run is found by its attempt and never by time: a statement that began before the death may commit after it.
 */
export async function judgeTakeOver(scene: Scene, held: readonly HeldRun[], since: Date): Promise<void> {
  const { world } = scene;
  const rows = await world.query<{ id: string; attempt: number; seconds: number | null; story: string }>(
    `select v.id, v.attempt, extract(epoch from min(e.at) - $4::timestamptz)::float8 as seconds,
            (select string_agg(s.version || ' ' || s.kind || ' ' || s.at || ' ' || s.data, E'\n    ' order by s.seq) from task_events s
              where s.task_id = v.id) as story
       from unnest($1::uuid[], $2::int[], $3::int[]) v (id, attempt, version)
       left join task_events e on e.task_id = v.id and (e.data->>'attempt')::int = v.attempt
        and e.kind in ('lease_expired', 'completed', 'failed', 'retry_scheduled', 'approval_requested', 'input_requested')
      where not exists (select 1 from task_events c where c.task_id = v.id and c.version > v.version
                           and c.kind in ('canceled', 'patched', 'rejected'))
      group by v.id, v.attempt`,
    [held.map(({ id }) => id), held.map(({ attempt }) => attempt), held.map(({ version }) => version), since],
  );
  const late = rows.filter(({ seconds }) => seconds === null || seconds > promisedSeconds + graceSeconds);
  const latest = Math.max(0, ...rows.map(({ seconds }) => seconds ?? Number.POSITIVE_INFINITY));
  world.say(`  ${held.length} runs were held; the last was taken up after ${latest.toFixed(1)} s`);
  for (const { id, attempt, story } of late)
    world.violate("recovery", `attempt ${attempt} of ${id} was not taken up in time:\n    ${story}`);
}

export async function databaseNow(world: World): Promise<Date> {
  const [row] = await world.query<{ now: Date }>("select clock_timestamp() as now");
  return row?.now ?? new Date();
}
