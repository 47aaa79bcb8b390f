import { readdir, readFile } from "node:fs/promises";
import type { TaskStats } from "@signalbox/common/contracts/stats.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import type { LogSender } from "./log-sender.ts";
import type { Member } from "./member.ts";
import type { NewLines } from "./new-lines.ts";
import type { World } from "./world.ts";

/*
 * What must hold of everything but tasks and frames: logs (I6), a fleet at rest (I8), secrets (I9), and figures that agree (I10).
 */

/** Memory of a service under the suite's load, in MB; past it something grows without a bound. */
const mostMb = 450;
const mostFiles = 1_000;

export type StateScene = {
  world: World;
  sender: LogSender;
  lines: NewLines;
  /** Killed in this round: what they had not sent yet is gone. */
  killed: ReadonlySet<string>;
};

export async function checkState(scene: StateScene): Promise<void> {
  const { world } = scene;
  await checkSender(scene);
  await checkOutputs(scene);
  await checkRest(world);
  await checkTables(world);
  await checkFigures(world);
}

/** Every record that was accepted is stored once, without what must not be read. */
async function checkSender({ world, sender }: StateScene): Promise<void> {
  const ids = [...sender.accepted];
  const rows = await world.query<{ id: string; times: number }>(
    "select id, count(*)::int as times from logs where id = any ($1::uuid[]) group by id",
    [ids],
  );
  const stored = new Map(rows.map(({ id, times }) => [id, times]));
  const lost = ids.filter((id) => !stored.has(id));
  if (lost.length > 0)
    world.violate("I6", `${lost.length} of ${ids.length} accepted records are not stored: ${lost[0]}`);
  const doubled = rows.filter(({ times }) => times > 1);
  if (doubled.length > 0) world.violate("I6", `${doubled.length} records are stored twice: ${doubled[0]?.id}`);
}

/** What a service has printed has also been delivered, or was counted as dropped; and holds no secret. */
async function checkOutputs({ world, lines, killed }: StateScene): Promise<void> {
  for (const member of world.members) {
    const texts = await lines.read(member.outputFile);
    const found = new Set(texts.flatMap((text) => world.secrets.findIn(text)));
    for (const secret of found) world.violate("I9", `${secret} stands in the output of ${member.name}`);
    // Logging prints only: it must not feed itself. The crooked agent has no log.
    if (member === world.logging || member === world.crooked || killed.has(member.name)) continue;
    await checkDelivery(world, member, texts);
  }
}

const dropNotes = [
  /"message":"log records dropped","data":\{"count":(\d+)/,
  /^(\d+) log records of \S+ were dropped at its end/,
];

function countDropped(texts: readonly string[]): number {
  const counts = texts.flatMap((text) => dropNotes.map((note) => Number(note.exec(text)?.[1] ?? 0)));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function checkDelivery(world: World, member: Member, texts: readonly string[]): Promise<void> {
  const ids = texts.flatMap((text) => /"id":"([0-9a-f-]{36})"/.exec(text)?.[1] ?? []);
  const dropped = countDropped(texts);
  if (dropped > 0) world.say(`  ${member.name} counted ${dropped} log records as dropped`);
  const countMissing = async () => {
    const [row] = await world.query<{ n: number }>(
      "select count(distinct id)::int as n from logs where id = any ($1::uuid[])",
      [ids],
    );
    return ids.length - (row?.n ?? 0);
  };
  const isDelivered = async () => (await countMissing()) <= dropped;
  await eventually(isDelivered, { timeoutMs: 20_000, everyMs: 300, what: "the logs" }).catch(async () => {
    const missing = await countMissing();
    world.violate(
      "I6",
      `${missing} of ${ids.length} records of ${member.name} are not stored, ${dropped} were counted as dropped`,
    );
  });
}

/** No lease, no transaction that is open, no endless memory. */
async function checkRest(world: World): Promise<void> {
  const idle = async () => {
    const rows = await world.query<{ who: string; state: string; query: string }>(
      `select application_name as who, state, left(query, 80) as query from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and xact_start < now() - interval '1 s'`,
    );
    if (rows.length > 0) throw new Error(JSON.stringify(rows));
    return true;
  };
  await eventually(idle, { timeoutMs: 15_000, everyMs: 300, what: "the end of all transactions" }).catch(
    (error: Error) => world.violate("I8", error.message),
  );
  for (const member of world.members) {
    const [mb, files] = [await residentMb(member.pid), await openFiles(member.pid)];
    if (mb > mostMb) world.violate("I8", `${member.name} holds ${Math.round(mb)} MB`);
    if (files > mostFiles) world.violate("I8", `${member.name} holds ${files} files and sockets`);
  }
}

/** 0 where it cannot be read. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1_024;
}

async function openFiles(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`).catch(() => [])).length;
}

const tables = ["tasks", "task_events", "logs", "agent_heartbeats", "schedules", "task_types", "orchestrators"];

/** Secrets are looked for in whole rows, as text; `tasks.secrets` holds them encrypted. */
async function checkTables(world: World): Promise<void> {
  for (const table of tables) {
    const rows = await world.query<{ text: string }>(
      `select t::text as text from ${table} t where t::text like '%canary-%' limit 5`,
    );
    for (const { text } of rows) {
      const names = world.secrets.findIn(text);
      if (names.length > 0) world.violate("I9", `${names.join()} stands in ${table}: ${text.slice(0, 120)}`);
    }
  }
}

/** What is counted for people is what is there. */
async function checkFigures(world: World): Promise<void> {
  const client = world.client("figures");
  const [row] = await world.query<{ until: string }>(
    "select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as until",
  );
  const until = row?.until ?? "";
  const counted = await world.query<{ status: string; n: number }>(
    `select status, count(*)::int as n from tasks
      where created_at >= $1::timestamptz - interval '1 h' and created_at < $1::timestamptz group by 1`,
    [until],
  );
  const table = Object.fromEntries(counted.map(({ status, n }) => [status, n]));
  for (const { url, name } of world.orchestrators) {
    const asked = { base: url, giveUpMs: 10_000 };
    const stats = await client.persist<TaskStats>(`/tasks/stats?window=1h&until=${until}`, asked);
    const told = JSON.stringify(sorted(stats?.body?.byStatus ?? {}));
    if (told !== JSON.stringify(sorted(table)))
      world.violate("I10", `the stats of ${name} say ${told}, the table ${JSON.stringify(sorted(table))}`);
    const metrics = await client.persist("/metrics", asked);
    const open = [...(metrics?.text ?? "").matchAll(/^signalbox_tasks_open\{.*\} (\d+)/gm)];
    const sum = open.reduce((total, found) => total + Number(found[1]), 0);
    if (sum !== 0) world.violate("I10", `the metrics of ${name} say that ${sum} tasks are open, and none is`);
  }
  for (const member of [world.logging, ...world.workers])
    await client.persist("/metrics", { base: member.url, giveUpMs: 10_000 });
}

function sorted(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts)
      .filter(([, n]) => n > 0)
      .sort(),
  );
}
