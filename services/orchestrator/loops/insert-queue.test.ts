import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import type pg from "pg";
import { expect, test } from "vitest";
import type { FreeSlot } from "../slots.ts";
import type { StoredPlain } from "../store/insert-plain.ts";
import { findTask } from "../store/read-tasks.ts";
import type { Claimed } from "../store/rows.ts";
import { newTask } from "../store.fixture.ts";
import { buildStore } from "../store.ts";
import { buildInsertQueue } from "./insert-queue.ts";

/** The queue with a dispatcher that has these slots; `insert` answers with the task alone. */
function openQueue(pool: pg.Pool, slots: FreeSlot[] = []) {
  const begun: Claimed[] = [];
  const given: FreeSlot[] = [];
  const dispatcher = {
    reserve(types: readonly string[]) {
      return types.map((type) => {
        const at = slots.findIndex((slot) => slot.type === type);
        return slots.splice(at, at < 0 ? 0 : 1)[0] ?? null;
      });
    },
    giveBack: (slot: FreeSlot) => void given.push(slot),
    start: (claimed: Claimed) => void begun.push(claimed),
  };
  const queue = buildInsertQueue({ store: buildStore(pool), dispatcher, owner: "orchestrator-1" });
  const insert = async (task: ReturnType<typeof newTask>) => (await queue.insert(task))?.task ?? null;
  return { ...queue, insert, insertAll: queue.insert, begun, given };
}

test.concurrent("tasks that come at once share statements, and each is stored with its event", async () => {
  await using db = await freshDatabase();
  const { insert } = openQueue(db.pool);
  const tasks = Array.from({ length: 40 }, (_, number) => newTask({ payload: { number } }));
  const made = await Promise.all(tasks.map(insert));
  expect(made.map((task) => [task?.id, task?.payload])).toEqual(tasks.map(({ id, payload }) => [id, payload]));
  const { rows } = await db.pool.query(
    `select count(*)::int as tasks, count(distinct t.xmin::text)::int as statements, count(e.seq)::int as events
       from tasks t left join task_events e on e.task_id = t.id and e.kind = 'created' and e.version = t.version`,
  );
  expect(rows).toEqual([{ tasks: 40, statements: expect.any(Number), events: 40 }]);
  expect(rows[0].statements).toBeLessThan(10);
});

test.concurrent("a task that shared a statement is answered as it is read later, and so is its event", async () => {
  await using db = await freshDatabase();
  const { insert } = openQueue(db.pool);
  const payload = { a: [1, null, { kéy: '"quoted" \\ {braced}, \n' }], big: 12345678901234 };
  const own = {
    payload,
    source: 'a "source", {odd}',
    correlationId: "NULL",
    priority: -3,
    userKey: "tg:1",
    timeoutMs: 5,
  };
  const made = await Promise.all([insert(newTask(own)), insert(newTask({}))]);
  for (const task of made) expect(await findTask(db.pool, task?.id ?? "")).toEqual(task);
  const { rows } = await db.pool.query(
    "select count(*)::int as same from task_events e join tasks t on t.id = e.task_id where e.state = task_state(t)",
  );
  expect(rows).toEqual([{ same: 2 }]);
});

test.concurrent("one that PostgreSQL refuses takes none of the others with it", async () => {
  await using db = await freshDatabase();
  const { insert } = openQueue(db.pool);
  // No HTTP body with a NUL comes this far; here it stands for whatever else the database may refuse.
  const payloads = [{ good: 1 }, { bad: "\u0000" }, { good: 2 }];
  const outcomes = await Promise.allSettled(payloads.map((payload) => insert(newTask({ payload }))));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  const { rows } = await db.pool.query("select payload from tasks order by payload->'good'");
  expect(rows).toEqual([{ payload: { good: 1 } }, { payload: { good: 2 } }]);
});

test.concurrent("an idempotency key makes one of several that come at once", async () => {
  await using db = await freshDatabase();
  const { insert } = openQueue(db.pool);
  const keyed = () => newTask({ idempotency: { key: "once", bodyHash: Buffer.from("hash") } });
  const made = await Promise.all([insert(keyed()), insert(newTask({})), insert(keyed()), insert(keyed())]);
  expect(made.filter((task) => task !== null)).toHaveLength(2);
  const { rows } = await db.pool.query("select count(*)::int as tasks from tasks");
  expect(rows).toEqual([{ tasks: 2 }]);
});

const slotOf = (type: string): FreeSlot => ({ type, agent: "agent", instance: "agent-1" });

test.concurrent("a task with a free slot is stored as claimed, and its two events say what each of them was", async () => {
  await using db = await freshDatabase();
  const { insertAll, begun, given } = openQueue(db.pool, [slotOf("work")]);
  const [first, second] = await Promise.all([insertAll(newTask({ payload: 1 })), insertAll(newTask({ payload: 2 }))]);
  expect(first).toMatchObject({ isStarted: true, task: { status: "queued", version: 1, attempt: 0, startedAt: null } });
  expect(second).toMatchObject({ isStarted: false });
  expect(given).toEqual([]);
  const id = first?.task.id ?? "";
  const row = await findTask(db.pool, id);
  expect(row).toMatchObject({ status: "running", version: 2, attempt: 1, agent: "agent", startedAt: row?.createdAt });
  const { rows: kept } = await db.pool.query(
    "select lease_id, lease_owner, lease_until > now() as holds from tasks where id = $1",
    [id],
  );
  expect(kept).toEqual([{ lease_id: begun[0]?.lease.leaseId, lease_owner: "orchestrator-1", holds: true }]);
  expect(begun).toEqual([
    {
      task: row,
      lease: { taskId: id, attempt: 1, leaseId: kept[0].lease_id },
      agentName: "agent",
      instance: "agent-1",
      input: null,
      hasInput: false,
      raw: null,
      secrets: null,
    },
  ]);
  const { rows } = await db.pool.query(
    `select e.kind, e.actor, e.version, e.data, e.state = task_state(t) as is_now, e.state->>0 as status, e.state->1 as attempt,
            e.state->>5 as agent, e.state->>11 is null as is_unstarted
       from task_events e join tasks t on t.id = e.task_id where t.id = $1 order by e.seq`,
    [id],
  );
  const data = { attempt: 1, agent: "agent", instance: "agent-1", orchestrator: "orchestrator-1" };
  expect(rows).toEqual([
    {
      ...{ kind: "created", actor: "person:tester", version: 1, data: { type: "work", source: first?.task.source } },
      ...{ is_now: false, status: "queued", attempt: 0, agent: null, is_unstarted: true },
    },
    {
      ...{ kind: "started", actor: "service:orchestrator", version: 2, data },
      ...{ is_now: true, status: "running", attempt: 1, agent: "agent", is_unstarted: false },
    },
  ]);
});

test.concurrent("what is ready already comes first, and the slot is given back", async () => {
  await using db = await freshDatabase();
  const before = openQueue(db.pool);
  await before.insert(newTask({ priority: -5 }));
  const { insertAll, begun, given } = openQueue(db.pool, [slotOf("work"), slotOf("other")]);
  const made = await Promise.all([insertAll(newTask({})), insertAll(newTask({ type: "other" }))]);
  expect(made.map((one) => one?.isStarted)).toEqual([false, true]);
  expect(begun.map(({ task }) => task.type)).toEqual(["other"]);
  expect(given).toEqual([slotOf("work")]);
});

test.concurrent("a statement that fails gives every slot back, and nothing begins", async () => {
  await using db = await freshDatabase();
  const { insertAll, begun, given } = openQueue(db.pool, [slotOf("work")]);
  await expect(insertAll(newTask({ payload: { bad: "\u0000" } }))).rejects.toThrow();
  expect({ begun, given }).toEqual({ begun: [], given: [slotOf("work")] });
});

test.concurrent("what waited too long behind a database that hangs is refused, not stored behind its caller's back", async () => {
  const hanging: PromiseWithResolvers<Map<string, StoredPlain>>[] = [];
  const insertPlainTasks = () => {
    const answer = Promise.withResolvers<Map<string, StoredPlain>>();
    hanging.push(answer);
    return answer.promise;
  };
  const store = { insertPlainTasks, insertTask: async () => null };
  const dispatcher = { reserve: () => [], giveBack: () => undefined, start: () => undefined };
  const queue = buildInsertQueue({ store, dispatcher, owner: "orchestrator-1", patienceMs: 1_000 });
  const written = Promise.allSettled(Array.from({ length: 200 }, () => queue.insert(newTask({}))));
  await eventually(() => hanging.length === 2, { what: "two statements" });
  const late = queue.insert(newTask({}));
  const asked = performance.now();
  await eventually(() => performance.now() - asked > 1_100, { what: "its patience" });
  for (const { reject } of hanging) reject(new Error("Query read timeout"));
  await expect(late).rejects.toMatchObject({ code: "unavailable", status: 503 });
  expect((await written).every(({ status }) => status === "rejected")).toBe(true);
  expect(hanging).toHaveLength(2);
});
