import { freshDatabase } from "@signalbox/testing/database.ts";
import { expect, test } from "vitest";
import { newTask } from "../store.fixture.ts";
import { buildInsertQueue } from "./insert-queue.ts";
import { findTask } from "./read-tasks.ts";

test.concurrent("tasks that come at once share statements, and each is stored with its event", async () => {
  await using db = await freshDatabase();
  const insert = buildInsertQueue(db.pool);
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
  const insert = buildInsertQueue(db.pool);
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
  const insert = buildInsertQueue(db.pool);
  // No HTTP body with a NUL comes this far; here it stands for whatever else the database may refuse.
  const payloads = [{ good: 1 }, { bad: "\u0000" }, { good: 2 }];
  const outcomes = await Promise.allSettled(payloads.map((payload) => insert(newTask({ payload }))));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  const { rows } = await db.pool.query("select payload from tasks order by payload->'good'");
  expect(rows).toEqual([{ payload: { good: 1 } }, { payload: { good: 2 } }]);
});

test.concurrent("an idempotency key makes one of several that come at once", async () => {
  await using db = await freshDatabase();
  const insert = buildInsertQueue(db.pool);
  const keyed = () => newTask({ idempotency: { key: "once", bodyHash: Buffer.from("hash") } });
  const made = await Promise.all([insert(keyed()), insert(newTask({})), insert(keyed()), insert(keyed())]);
  expect(made.filter((task) => task !== null)).toHaveLength(2);
  const { rows } = await db.pool.query("select count(*)::int as tasks from tasks");
  expect(rows).toEqual([{ tasks: 2 }]);
});
