import { expect, test } from "vitest";
import { finishOf, lease, type OpenStore, openStore } from "../store.fixture.ts";
import { claimTasks } from "./claim-tasks.ts";

const seqsOf = (claimed: { task: { payload: unknown } }[]) => claimed.map(({ task }) => task.payload);

test.concurrent("what is due is claimed by priority, then time, then creation", async () => {
  await using box = await openStore();
  const past = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
  await box.insert({ payload: "third", runAt: past(10) });
  await box.insert({ payload: "fourth", runAt: past(10) });
  await box.insert({ payload: "second", runAt: past(20) });
  await box.insert({ payload: "first", priority: 1 });
  await box.insert({ payload: "last", priority: -1, runAt: past(99) });
  await box.insert({ payload: "not due", runAt: new Date(Date.now() + 60_000).toISOString() });
  await box.insert({ payload: "not asked", approval: { reason: null, expiresInSeconds: null } });
  expect(seqsOf(await box.claim(2))).toEqual(["first", "second"]);
  expect(seqsOf(await box.claim(10))).toEqual(["third", "fourth", "last"]);
  expect(await box.claim(10)).toEqual([]);
});

test.concurrent("each slot gets at most one task of its own type, and of a type without slots none is taken", async () => {
  await using box = await openStore();
  for (const type of ["a", "b", "c"]) for (let at = 0; at < 3; at++) await box.insert({ type });
  const slots = [
    { type: "a", agent: "one", instance: "one-1" },
    { type: "a", agent: "two", instance: "two-1" },
    { type: "b", agent: "one", instance: "one-1" },
  ];
  const claimed = await box.store.claimTasks(slots, lease);
  expect(claimed.map(({ task, instance, agentName }) => [task.type, agentName, instance]).sort()).toEqual([
    ["a", "one", "one-1"],
    ["a", "two", "two-1"],
    ["b", "one", "one-1"],
  ]);
  for (const { task, lease: held } of claimed) {
    expect(task).toMatchObject({ status: "running", attempt: 1, version: 2 });
    expect(held).toEqual({ taskId: task.id, attempt: 1, leaseId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  }
});

test.concurrent("many claims at once never take a task twice", async () => {
  await using box = await openStore();
  await Promise.all(Array.from({ length: 120 }, (_, at) => box.insert(at % 2 ? { concurrencyKey: `k${at}` } : {})));
  const rounds = await Promise.all(Array.from({ length: 15 }, () => box.claim(20)));
  const ids = rounds.flat().map(({ task }) => task.id);
  expect(new Set(ids).size).toBe(ids.length);
  const rest = await box.claim(200);
  expect(ids.length + rest.length).toBe(120);
  const { rows } = await box.pool.query("select count(*)::int as started from task_events where kind = 'started'");
  expect(rows).toEqual([{ started: 120 }]);
});

test.concurrent("a claim that began before the end of the task ahead, and saw it, starts the next one after that end", async () => {
  await using box = await openStore();
  for (let at = 0; at < 2; at++) await box.insert({ concurrencyKey: "k" });
  const [first] = await box.claim(1);
  if (!first) throw new Error("a run was expected");
  const late = await box.pool.connect();
  await late.query("begin");
  await late.query("select now()");
  await box.store.finishAttempts([finishOf(first)]);
  const [next] = await claimTasks(late, [{ type: "work", agent: "agent", instance: "agent-1" }], lease);
  await late.query("commit");
  late.release();
  const ended = await box.store.findTask(first.task.id);
  const [end, start] = [ended?.finishedAt, next?.task.startedAt].map((text) => Date.parse(text ?? ""));
  expect(start).toBeGreaterThanOrEqual(end ?? Number.NaN);
  expect(next?.task.updatedAt).toBe(next?.task.startedAt);
});

/** 20,000 tasks that are ready and 20,000 that have ended, made in bulk: on a busy machine that outlasts what a statement may take. */
async function fill(box: OpenStore): Promise<void> {
  await box.pool.query(`
    set local statement_timeout = 0;
    insert into tasks (id, type, source, status, payload, trace_id, priority, max_attempts, attempt_budget, run_at, timeout_ms,
                       concurrency_key, ready, finished_at)
    select gen_random_uuid(), 'type' || n % 3, 'test', case when n % 2 = 0 then 'queued' else 'completed' end, '{}',
           md5(n::text), n % 5, 3, 3, now() - n * interval '1 ms', 30000, case when n % 4 = 0 then 'key ' || n end, n % 2 = 0,
           case when n % 2 = 1 then now() end
      from generate_series(1, 40000) n`);
}

type PlanNode = { "Node Type": string; "Relation Name"?: string; "Index Name"?: string; Plans?: PlanNode[] };

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

test.concurrent.each([
  ["with", "analyze tasks"],
  ["without", "select 1"],
])(
  "a claim out of 20,000 %s statistics reads its index and the primary key, and scans nothing",
  async (_what, then) => {
    await using box = await openStore();
    await fill(box);
    await box.pool.query(then);
    const plans: { Plan: PlanNode }[] = [];
    const explaining = {
      async query(statement: { text: string; values: unknown[] }) {
        const { rows } = await box.pool.query({
          text: `explain (analyze, buffers, format json) ${statement.text}`,
          values: statement.values,
        });
        plans.push(rows[0]["QUERY PLAN"][0]);
        return { rows: [], rowCount: 0 };
      },
    };
    const slots = Array.from({ length: 60 }, (_, at) => ({ type: `type${at % 3}`, agent: "a", instance: "a-1" }));
    await claimTasks(explaining, slots, lease);
    const nodes = plans.flatMap(({ Plan }) => nodesOf(Plan));
    const indexes = new Set(nodes.map((node) => node["Index Name"]));
    expect([...indexes]).toEqual(expect.arrayContaining(["tasks_ready_idx", "tasks_pkey"]));
    const scans = nodes.filter((node) => node["Relation Name"] === "tasks" && node["Node Type"] === "Seq Scan");
    expect(scans).toEqual([]);
    const { rows } = await box.pool.query("select count(*)::int as running from tasks where status = 'running'");
    expect(rows).toEqual([{ running: 60 }]);
  },
);
