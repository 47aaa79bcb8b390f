/** One checker over the tables and over what agents saw: what must hold when everything has come to rest. */
import type { Pool } from "@signalbox/common/sql.ts";
import { checkReplay } from "./ledger-replay.ts";

/** One run as its agent saw it, by one clock for all agents. */
export type SeenRun = {
  taskId: string;
  key: string | null;
  attempt: number;
  begunAt: number;
  /** When the agent answered; null when the orchestrator hung up first: that run was superseded, or ended by hand. */
  answeredAt: number | null;
};

export type EventRow = {
  task_id: string;
  seq: string;
  kind: string;
  actor: string;
  version: number;
  data: Record<string, unknown>;
  /** The task's, right after the event. */
  status: string;
};
export type TaskRow = {
  id: string;
  seq: string;
  concurrency_key: string | null;
  version: number;
  attempt: number;
  status: string;
  waiting_for: string | null;
  priority: number;
  /** Its own time lay ahead when it was made, so it joined its line later. */
  is_late: boolean;
};

/** A broken promise as a sentence. */
export type Finding = string;

const besideKinds = new Set(["approval_requested", "retry_scheduled", "result_discarded", "side_effect", "note"]);

/**
 * Every broken promise; none when all is well.
 *
 * @param afterSeq only tasks that were made after this one; of a key all tasks before it must have ended by then
 */
export async function checkLedger(pool: Pool, seen: readonly SeenRun[], afterSeq = 0): Promise<Finding[]> {
  const tasks: TaskRow[] = (
    await pool.query(
      `select id, seq, concurrency_key, version, attempt, status, waiting_for, priority,
              coalesce((payload->'late')::boolean, false) as is_late
         from tasks where seq > $1 order by seq`,
      [afterSeq],
    )
  ).rows;
  const events: EventRow[] = (
    await pool.query(
      `select e.task_id, e.seq, e.kind, e.actor, e.version, e.data, e.state->>0 as status
         from task_events e join tasks t on t.id = e.task_id where t.seq > $1 order by e.seq`,
      [afterSeq],
    )
  ).rows;
  const byTask = Map.groupBy(events, (event) => event.task_id);
  return [
    ...(await findInSql(pool, afterSeq)),
    ...tasks.flatMap((task) => {
      const own = byTask.get(task.id) ?? [];
      return [...checkVersions(task, own), ...checkRuns(task, own), ...checkReplay(task, own)];
    }),
    ...checkKeys(tasks, events),
    ...checkOverlaps(seen),
  ];
}

const statements: Record<string, string> = {
  "a lease was left over": "select id from tasks where lease_id is not null and seq > $1",
  "a task behind has nobody in front":
    "select concurrency_key as id from tasks where seq > $1 group by 1 having bool_or(line = 2) and not coalesce(bool_or(line = 1), false)",
  "two stand in front":
    "select concurrency_key as id from tasks where line = 1 and seq > $1 group by 1 having count(*) > 1",
  "an ended task stands in line":
    "select id from tasks where finished_at is not null and (line is not null or ready) and seq > $1",
  "the last event does not tell what the task is": `
    select t.id from tasks t
      join lateral (select state from task_events e where e.task_id = t.id order by seq desc limit 1) e on true
     where t.seq > $1 and e.state is distinct from task_state(t)`,
  "a task has no created event": `
    select t.id from tasks t
     where t.seq > $1 and not exists (select 1 from task_events e where e.task_id = t.id and e.kind = 'created')`,
};

async function findInSql(pool: Pool, afterSeq: number): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [what, statement] of Object.entries(statements)) {
    const { rows } = await pool.query(statement, [afterSeq]);
    for (const row of rows) found.push(`${what}: ${row.id}`);
  }
  return found;
}

/** Versions are 1, 2, 3 … in the order of the ledger, and the last one is the task's. */
function checkVersions(task: TaskRow, events: readonly EventRow[]): Finding[] {
  const found: Finding[] = [];
  let version = 0;
  let before = "";
  for (const event of events) {
    // The end of a run whose lease ran out is one change with two events.
    const isBeside = besideKinds.has(event.kind) || (event.kind === "failed" && before === "lease_expired");
    const expected = isBeside ? [version, version + 1] : [version + 1];
    before = event.kind;
    if (!expected.includes(event.version))
      found.push(`${task.id}: ${event.kind} has version ${event.version} after ${version}`);
    version = Math.max(version, event.version);
  }
  if (version !== task.version)
    found.push(`${task.id}: its ledger ends at version ${version}, the task has ${task.version}`);
  return found;
}

/** Attempts are 1, 2, 3 …, and each that started ended exactly once. */
function checkRuns(task: TaskRow, events: readonly EventRow[]): Finding[] {
  const found: Finding[] = [];
  const attempts = events.filter((event) => event.kind === "started").map((event) => event.data.attempt);
  const expected = Array.from({ length: task.attempt }, (_, at) => at + 1);
  if (attempts.join() !== expected.join()) found.push(`${task.id}: its attempts were ${attempts.join()}`);
  let running = false;
  for (const { kind, status } of events) {
    if (running && kind === "started") found.push(`${task.id}: an attempt started before the one before it had ended`);
    if (!running && endsOfRuns.has(kind)) found.push(`${task.id}: ${kind} although nothing ran`);
    running = status === "running";
  }
  return found;
}

const endsOfRuns = new Set(["completed", "lease_expired", "input_requested"]);
const ends = new Set(["completed", "failed", "canceled"]);

/** Per key: whoever has started holds it until it ends, and first starts come in order of creation. */
function checkKeys(tasks: readonly TaskRow[], events: readonly EventRow[]): Finding[] {
  const keyOf = new Map(tasks.flatMap(({ id, concurrency_key: key }) => (key === null ? [] : [[id, key] as const])));
  const groups = Map.groupBy(tasks, (task) => task.concurrency_key);
  const ledgers = Map.groupBy(events, (event) => keyOf.get(event.task_id) ?? null);
  return [...groups].flatMap(([key, group]) => {
    if (key === null) return [];
    const own = ledgers.get(key) ?? [];
    return [...checkHolder(key, own), ...checkOrder(key, group, own)];
  });
}

function checkHolder(key: string, events: readonly EventRow[]): Finding[] {
  const found: Finding[] = [];
  let holder: string | null = null;
  for (const { task_id, kind, status } of events) {
    if (kind === "started") {
      if (holder !== null && holder !== task_id) found.push(`key ${key}: ${task_id} started while ${holder} held it`);
      holder = task_id;
    } else if (holder === task_id && ends.has(status)) holder = null;
  }
  return found;
}

function checkOrder(key: string, group: readonly TaskRow[], events: readonly EventRow[]): Finding[] {
  const firstStarts = new Map<string, number>();
  const retried = new Set<string>();
  for (const { task_id, kind, seq, data } of events) {
    if (kind === "started" && !firstStarts.has(task_id)) firstStarts.set(task_id, Number(seq));
    // Retried by hand before it ever ran: it has lost its place.
    const changes = data.changes as { status?: { to?: string } } | undefined;
    if (kind === "patched" && changes?.status?.to === "queued" && !firstStarts.has(task_id)) retried.add(task_id);
  }
  const started = group.filter((task) => firstStarts.has(task.id) && !retried.has(task.id) && !task.is_late);
  const byStart = started.toSorted((a, b) => (firstStarts.get(a.id) ?? 0) - (firstStarts.get(b.id) ?? 0));
  return started.flatMap((task, at) =>
    byStart[at] === task ? [] : [`key ${key}: ${task.id} was not the number ${at + 1} to start`],
  );
}

/** By the agents' clock: a run of a key begins after the one before was answered, unless that one was hung up on. */
function checkOverlaps(seen: readonly SeenRun[]): Finding[] {
  const found: Finding[] = [];
  for (const [key, runs] of Map.groupBy(
    seen.filter((run) => run.key !== null),
    (run) => run.key,
  )) {
    const answered = runs.filter((run) => run.answeredAt !== null).toSorted((a, b) => a.begunAt - b.begunAt);
    for (const [at, run] of answered.entries()) {
      const next = answered[at + 1];
      if (next && next.begunAt < (run.answeredAt ?? 0))
        found.push(`key ${key}: ${next.taskId} began while ${run.taskId} ran`);
    }
  }
  return found;
}
