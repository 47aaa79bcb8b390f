import { checkLedger } from "@signalbox/testing/ledger-check.ts";
import type { History, Post } from "./history.ts";
import { type AgentRuns, runName } from "./runs.ts";
import type { World } from "./world.ts";

/** What a round did to tasks, for the table. */
export type TaskCounts = {
  tasks: number;
  lost: number;
  doubled: number;
  disordered: number;
  retries: number;
  discards: number;
};

type Row = { id: string; nonce: string | null; kind: string | null; type: string; status: string; error: unknown };
type Run = { task_id: string; attempt: number; kind: string; actor: string; code: string | null };

type Scene = { world: World; history: History; runs: AgentRuns; afterSeq: number };

/** I1 to I4 over what clients saw, what agents wrote down, and the tables. */
export async function checkTasks(scene: Scene): Promise<TaskCounts> {
  const { world, history, afterSeq } = scene;
  const rows = await world.query<Row>(
    `select id, payload->>'nonce' as nonce, payload->>'kind' as kind, type, status, error from tasks where seq > $1 order by seq`,
    [afterSeq],
  );
  const ended = await readEndsOfRuns(world, afterSeq);
  const lost = checkPosts(scene, rows);
  const doubled = checkDoubles(scene, rows);
  checkEnds(scene, rows);
  await checkChanges(world, history);
  await checkApprovals(world, afterSeq);
  checkAgents(scene, rows, ended);
  const { disordered, endedTwice } = await checkOrder(scene, ended);
  for (const oddity of history.oddities) world.violate("I1", oddity);
  return {
    tasks: rows.length,
    lost,
    doubled: doubled + endedTwice,
    disordered,
    ...(await countEvents(world, afterSeq)),
  };
}

/** Attempts that were ended by what their agent said, and how. */
function readEndsOfRuns(world: World, afterSeq: number): Promise<Run[]> {
  return world.query<Run>(
    `select e.task_id, (e.data->>'attempt')::int as attempt, e.kind, e.actor, e.data->'error'->>'code' as code
       from task_events e join tasks t on t.id = e.task_id
      where t.seq > $1 and e.actor like 'agent:%' and e.data ? 'attempt'
        and e.kind in ('completed', 'failed', 'retry_scheduled', 'input_requested', 'approval_requested') order by e.seq`,
    [afterSeq],
  );
}

/** Every acknowledged task exists. */
function checkPosts({ world, history }: Scene, rows: readonly Row[]): number {
  const ids = new Set(rows.map(({ id }) => id));
  const lost = [...history.posts.values()].flatMap((post) => [...post.ids].filter((id) => !ids.has(id)));
  for (const id of lost) world.violate("I1", `task ${id} was acknowledged and does not exist`);
  return lost.length;
}

/** One key, one task, whichever tries were answered. */
function checkDoubles({ world, history, runs }: Scene, rows: readonly Row[]): number {
  const byNonce = Map.groupBy(
    rows.filter(({ nonce }) => nonce !== null),
    ({ nonce }) => nonce,
  );
  let doubled = 0;
  const complain = (what: string) => {
    doubled++;
    world.violate("I1", what);
  };
  for (const [nonce, same] of byNonce)
    if (same.length > 1) complain(`the post ${nonce} made ${same.map(({ id }) => id).join(", ")}`);
  for (const { nonce, ids } of history.posts.values())
    if (ids.size > 1) complain(`the post ${nonce} was answered with ${[...ids].join(", ")}`);
  for (const name of runs.twice) complain(`the attempt ${name} was sent to an agent twice`);
  return doubled;
}

const ended = new Set(["completed", "failed", "canceled"]);

/** Ended, and as it should: or somebody has interfered, or everything that was tried was lost. */
function checkEnds({ world, history }: Scene, rows: readonly Row[]): void {
  for (const { id, nonce, type, status, error } of rows) {
    if (!ended.has(status)) world.violate("I1", `task ${id} (${type}) is still ${status}`);
    const post = nonce === null ? undefined : history.posts.get(nonce);
    const isAsExpected = post ? mayEndSo(post, status, history.touched.has(id)) : true;
    if (ended.has(status) && !isAsExpected)
      world.violate("I1", `task ${id} (${post?.wish.kind}) is ${status}: ${JSON.stringify(error)}`);
  }
}

function mayEndSo({ wish }: Post, status: string, isTouched: boolean): boolean {
  // A retry may meet the people again, or a cancel come late.
  return wish.ends.includes(status) || (isTouched && (status === "canceled" || status === "completed"));
}

/** Every change that was answered with 200 is in the ledger, under that version. */
async function checkChanges(world: World, { changes }: History): Promise<void> {
  const found = await world.query<{ id: string; version: number; kinds: string[] }>(
    `select v.id, v.version, coalesce(array_agg(e.kind) filter (where e.kind is not null), '{}') as kinds
       from unnest($1::uuid[], $2::int[]) v (id, version)
       left join task_events e on e.task_id = v.id and e.version = v.version group by 1, 2`,
    [changes.map(({ taskId }) => taskId), changes.map(({ version }) => version)],
  );
  const kinds = new Map(found.map((row) => [`${row.id} ${row.version}`, row.kinds]));
  for (const change of changes) {
    const there = kinds.get(`${change.taskId} ${change.version}`) ?? [];
    if (change.kinds.some((kind) => there.includes(kind))) continue;
    const what = `${change.kinds.join(" or ")} of ${change.taskId} was acknowledged as version ${change.version}`;
    world.violate("I1", `${what}, which the ledger knows as ${there.join() || "nothing"}`);
  }
}

/** Nothing that asked for an approval at its creation has started without one, and people gave each. */
async function checkApprovals(world: World, afterSeq: number): Promise<void> {
  const rows = await world.query<{ id: string }>(
    `select t.id from tasks t
      where t.seq > $1 and t.payload->>'kind' = 'approval'
        and exists (select 1 from task_events s where s.task_id = t.id and s.kind = 'started' and not exists (
          select 1 from task_events a where a.task_id = t.id and a.kind = 'approved' and a.actor like 'person:%' and a.seq < s.seq))`,
    [afterSeq],
  );
  for (const { id } of rows) world.violate("approval", `task ${id} started although nobody had approved it`);
}

/** What the ledger says an agent did, the agent has written down. */
function checkAgents({ world, runs }: Scene, rows: readonly Row[], ends: readonly Run[]): void {
  const ours = new Set(rows.filter(({ type }) => type !== "crooked" && type !== "held").map(({ id }) => id));
  for (const { task_id: id, attempt, kind } of ends) {
    if (kind === "completed" && ours.has(id) && !runs.runs.has(runName(id, attempt)))
      world.violate("I4", `task ${id} was completed by attempt ${attempt}, of which no agent knows`);
  }
}

/** Said by the agent itself, not about it. */
const ownWords = new Set(["later", "as_asked"]);

/** Said of a task that an end of a run reached a second time. */
const secondEnd = /although nothing ran|came while the task was (?:completed|failed|canceled)/;

async function checkOrder(
  { world, history, runs, afterSeq }: Scene,
  ends: readonly Run[],
): Promise<{ disordered: number; endedTwice: number }> {
  const counted = ends.filter(
    ({ kind, code }) => !["failed", "retry_scheduled"].includes(kind) || ownWords.has(code ?? ""),
  );
  const names = new Set(counted.map((run) => runName(run.task_id, run.attempt)));
  const seen = [...runs.runs].filter(([name]) => names.has(name)).map(([, run]) => run);
  const findings = [...(await checkLedger(world.database.pool, seen, afterSeq)), ...findOvertakers(history, runs)];
  for (const finding of findings) world.violate(finding.startsWith("key ") ? "I2" : "I3", finding);
  const count = (isMeant: (finding: string) => boolean) => findings.filter(isMeant).length;
  return {
    disordered: count((finding) => finding.startsWith("key ")),
    endedTwice: count((finding) => secondEnd.test(finding)),
  };
}

/** Who posts one after the other to a key sees its tasks begin in that order. */
function findOvertakers(history: History, { runs }: AgentRuns): string[] {
  const begun = new Map<string, number>();
  for (const { taskId, begunAt } of runs.values()) begun.set(taskId, Math.min(begunAt, begun.get(taskId) ?? begunAt));
  const lines = Map.groupBy(
    [...history.posts.values()].filter(({ wish }) => wish.kind === "line"),
    ({ wish }) => String(wish.body.concurrencyKey),
  );
  return [...lines].flatMap(([key, posts]) => {
    const places = posts.flatMap(({ wish, ids }) => {
      const { at, late } = wish.body.payload as { at: number; late?: boolean };
      const [id = ""] = ids;
      const begunAt = begun.get(id);
      return late || begunAt === undefined || history.touched.has(id) ? [] : [{ at, id, begunAt }];
    });
    const ordered = places.toSorted((a, b) => a.at - b.at);
    const wrong = ordered.find(({ begunAt }, place) => begunAt < (ordered[place - 1]?.begunAt ?? 0));
    return wrong ? [`key ${key}: ${wrong.id} began before the one that was posted before it`] : [];
  });
}

async function countEvents(world: World, afterSeq: number): Promise<{ retries: number; discards: number }> {
  const [row] = await world.query<{ retries: number; discards: number }>(
    `select count(*) filter (where e.kind = 'retry_scheduled')::int as retries,
            count(*) filter (where e.kind = 'result_discarded')::int as discards
       from task_events e join tasks t on t.id = e.task_id where t.seq > $1`,
    [afterSeq],
  );
  if ((row?.discards ?? 0) > 0) world.say(`  discarded: ${await describeDiscards(world, afterSeq)}`);
  return row ?? { retries: 0, discards: 0 };
}

/** Who came too late with what, most frequent first. */
async function describeDiscards(world: World, afterSeq: number): Promise<string> {
  const rows = await world.query<{ what: string; n: number }>(
    `select concat_ws(' ', e.actor, e.data->>'outcome', '(' || (e.data->>'reason') || ')') as what, count(*)::int as n
       from task_events e join tasks t on t.id = e.task_id
      where t.seq > $1 and e.kind = 'result_discarded' group by 1 order by 2 desc limit 5`,
    [afterSeq],
  );
  return rows.map(({ what, n }) => `${n} x ${what}`).join(", ");
}
