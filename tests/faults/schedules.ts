import type { Schedule } from "@signalbox/common/contracts/schedule.ts";
import { databaseNow } from "./scene.ts";
import type { World } from "./world.ts";

/*
 * Schedules of one round. However many orchestrators run, die and sleep, and whatever their clocks say: one task a fire, and of
 * those that are to make up for what was missed, no fire is left out.
 */

type Sample = { missed: "all" | "once" | "skip"; every: number; timing: Record<string, unknown> };

const samples: Sample[] = [
  { missed: "all", every: 1, timing: { everySeconds: 1 } },
  { missed: "all", every: 2, timing: { cron: "*/2 * * * * *", timezone: "Europe/Berlin" } },
  { missed: "skip", every: 2, timing: { everySeconds: 2 } },
  { missed: "once", every: 3, timing: { everySeconds: 3 } },
];

export type Schedules = { stop(): Promise<void>; check(): Promise<void> };

type Made = Sample & {
  id: string;
  name: string /** By the database's clock, when its pause was asked for. */;
  stoppedAt: number;
};

export async function startSchedules(world: World, round: string): Promise<Schedules> {
  const client = world.client("schedules", round);
  const made: Made[] = [];
  for (const [at, sample] of samples.entries()) {
    const name = `${round}-${at}`;
    const task = { type: "tick", payload: { kind: "tick" }, maxAttempts: 25, timeoutMs: 5_000 };
    const body = { name, ...sample.timing, missed: sample.missed, task };
    const reply = await client.once<Schedule>("/schedules", { method: "POST", body });
    if (reply?.status !== 201) throw new Error(`POST /schedules answered ${reply?.status}: ${reply?.text}`);
    made.push({ ...sample, id: reply.body.id, name, stoppedAt: 0 });
  }
  return {
    async stop() {
      await Promise.all(
        made.map(async (schedule) => {
          const asked = { method: "PATCH", body: { enabled: false }, giveUpMs: 60_000 } as const;
          const askedAt = await databaseNow(world);
          const reply = await client.persist(`/schedules/${schedule.id}`, asked);
          schedule.stoppedAt = askedAt.getTime();
          if (reply?.status !== 200)
            world.violate("I7", `a schedule could not be paused: ${reply?.status} ${reply?.text}`);
        }),
      );
    },
    async check() {
      for (const schedule of made) await checkFires(world, schedule);
    },
  };
}

async function checkFires(world: World, { id, name, every, missed, stoppedAt }: Made): Promise<void> {
  const fires = await world.query<{ at: string; tasks: number }>(
    `select extract(epoch from fire_at) * 1000 as at, (select count(*)::int from tasks t where t.id = f.task_id) as tasks
       from schedule_fires f where schedule_id = $1 order by fire_at`,
    [id],
  );
  const [row] = await world.query<{ tasks: number }>("select count(*)::int as tasks from tasks where source = $1", [
    `schedule:${name}`,
  ]);
  const complain = (what: string) =>
    world.violate("I7", `schedule ${name} (every ${every} s, missed ${missed}): ${what}`);
  if (row?.tasks !== fires.length) complain(`${fires.length} fires made ${row?.tasks} tasks`);
  for (const fire of fires) if (fire.tasks !== 1) complain(`the fire of ${fire.at} has ${fire.tasks} tasks`);
  const times = fires.map((fire) => Number(fire.at));
  const steps = times.slice(1).map((time, at) => (time - (times[at] ?? 0)) / (every * 1_000));
  if (steps.some((step) => !Number.isInteger(step) || step < 1)) complain(`it fired at odd times: ${steps.join()}`);
  if (missed === "all" && steps.some((step) => step !== 1)) complain(`fires are missing: ${steps.join()}`);
  const silence = stoppedAt - (times.at(-1) ?? 0);
  if (silence > every * 1_000 + 5_000) complain(`it was silent for the last ${Math.round(silence / 1_000)} s`);
}
