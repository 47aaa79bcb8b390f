import type { Violation, World } from "./world.ts";

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const mostTasks = 5;

/** The ledgers of the tasks that violations name: the tables are gone when the suite is over. */
export async function tellEvidence(world: World, violations: readonly Violation[]): Promise<void> {
  const ids = new Set(violations.flatMap(({ what }) => what.match(uuid) ?? []));
  for (const id of [...ids].slice(0, mostTasks)) await tellTask(world, id);
}

async function tellTask(world: World, id: string): Promise<void> {
  const events = await world.query<{ line: string }>(
    `select concat_ws(' ', to_char(at, 'HH24:MI:SS.MS'), seq, version, kind, actor, left(data::text, 160)) as line
       from task_events where task_id = $1 order by seq`,
    [id],
  );
  if (events.length === 0) return;
  world.say(`  the ledger of ${id}:`);
  for (const { line } of events) world.say(`    ${line}`);
}
