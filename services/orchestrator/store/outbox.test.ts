import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { expect, test } from "vitest";
import { type Attempted, tally, type Verdict } from "../outbox-verdict.ts";
import { openStore } from "../store.fixture.ts";
import { type ClaimedMessage, claimMessages, feedOutbox, recordAttempts } from "./outbox.ts";

const options = { limit: 100, shared: 100, leaseMs: 30_000, lane: 16 };
const delivered: Verdict = { kind: "delivered", status: 200 };
const failed: Verdict = { kind: "retry", status: 500, error: "answered 500", delayMs: 5_000, holdMs: 0 };

async function subscriptionIn(db: Pick<TestDatabase, "pool">): Promise<string> {
  const { rows } = await db.pool.query(`
    insert into subscriptions (id, url, kinds, secret, from_seq, created_by)
    values (gen_random_uuid(), 'http://hooks.example/', '{created}', '', 0, 'person:ann') returning id`);
  return rows[0].id;
}

/** Due messages, of as many tasks in turn. */
async function fill(db: TestDatabase, id: string, messages: number, tasks: number): Promise<void> {
  await db.pool.query(
    `
    insert into outbox_messages (id, subscription_id, seq, task_id, body)
    select gen_random_uuid(), $1, n, ('00000000-0000-7000-8000-' || lpad((n % $3::int)::text, 12, '0'))::uuid, '{}'
      from generate_series(1, $2::int) n`,
    [id, messages, tasks],
  );
}

function record(db: TestDatabase, messages: readonly ClaimedMessage[], verdict: Verdict) {
  const attempts: Attempted[] = messages.map(({ id, leaseId }) => ({ messageId: id, leaseId, verdict }));
  const [first] = messages;
  return first ? recordAttempts(db.pool, first.subscriptionId, attempts, tally(attempts)) : null;
}

const states = async (db: TestDatabase) =>
  (await db.pool.query("select outcome, attempts, lease_id from outbox_messages order by seq")).rows;

test.concurrent("a sender that wakes after its lease changes nothing of what another has taken up", async () => {
  await using db = await freshDatabase();
  await fill(db, await subscriptionIn(db), 1, 1);
  const frozen = await claimMessages(db.pool, options);
  expect(await claimMessages(db.pool, options)).toEqual([]);
  await db.pool.query("update outbox_messages set next_at = now()");
  const awake = await claimMessages(db.pool, options);
  expect(awake).toEqual([{ ...frozen[0], attempt: 2, leaseId: expect.not.stringMatching(frozen[0]?.leaseId ?? "") }]);
  await record(db, frozen, failed);
  expect(await states(db)).toEqual([{ outcome: null, attempts: 2, lease_id: awake[0]?.leaseId }]);
  await record(db, awake, delivered);
  expect(await states(db)).toEqual([{ outcome: "delivered", attempts: 2, lease_id: null }]);
});

const underWay = async (db: TestDatabase) =>
  (
    await db.pool.query(`
      select count(*)::int as messages, count(distinct task_id)::int as tasks from outbox_messages where lease_id is not null
       group by subscription_id`)
  ).rows as { messages: number; tasks: number }[];

test.concurrent("however many claim at once, no message is taken twice, no task has two under way, no lane is too wide", async () => {
  await using db = await freshDatabase();
  const ids = [await subscriptionIn(db), await subscriptionIn(db)];
  for (const id of ids) await fill(db, id, 300, 30);
  const taken: string[] = [];
  for (let round = 0; round < 200 && taken.length < 600; round++) {
    const claimed = (await Promise.all(Array.from({ length: 6 }, () => claimMessages(db.pool, options)))).flat();
    for (const { messages, tasks } of await underWay(db))
      expect([messages, messages <= options.lane]).toEqual([tasks, true]);
    taken.push(...claimed.map(({ id }) => id));
    for (const id of ids) {
      await record(
        db,
        claimed.filter(({ subscriptionId }) => subscriptionId === id),
        delivered,
      );
    }
  }
  expect([taken.length, new Set(taken).size]).toEqual([600, 600]);
});

test.concurrent("a receiver that fails gets one at a time until it is well", async () => {
  await using db = await freshDatabase();
  await fill(db, await subscriptionIn(db), 40, 40);
  const first = await claimMessages(db.pool, options);
  expect(first).toHaveLength(16);
  await record(db, first, failed);
  const second = await claimMessages(db.pool, options);
  expect(second).toHaveLength(1);
  await record(db, second, delivered);
  expect(await claimMessages(db.pool, options)).toHaveLength(16);
});

test.concurrent("what becomes free goes to the receiver that has least under way, however many hang", async () => {
  await using db = await freshDatabase();
  const [hanging, well] = [await subscriptionIn(db), await subscriptionIn(db)];
  for (const id of [hanging, well]) await fill(db, id, 20, 20);
  const first = await claimMessages(db.pool, { ...options, limit: 12 });
  const ofWell = first.filter(({ subscriptionId }) => subscriptionId === well);
  expect(ofWell).toHaveLength(6);
  await record(db, ofWell, delivered);
  const next = await claimMessages(db.pool, { ...options, limit: 6 });
  expect(next.map(({ subscriptionId }) => subscriptionId)).toEqual(Array(6).fill(well));
});

test.concurrent("of places that are not shared a receiver gets one, and only while it has nothing under way", async () => {
  await using db = await freshDatabase();
  const ids = [await subscriptionIn(db), await subscriptionIn(db)];
  for (const id of ids) await fill(db, id, 20, 20);
  expect(await claimMessages(db.pool, { ...options, shared: 10 })).toHaveLength(10);
  expect(await claimMessages(db.pool, { ...options, shared: 0 })).toEqual([]);
  const late = await subscriptionIn(db);
  await fill(db, late, 20, 20);
  expect(await claimMessages(db.pool, { ...options, shared: 0 })).toMatchObject([{ subscriptionId: late }]);
  expect(await claimMessages(db.pool, { ...options, shared: 3 })).toMatchObject(
    Array(3).fill({ subscriptionId: late }),
  );
});

test.concurrent("a page of the ledger is read once, however many try, and no cursor goes back", async () => {
  await using db = await openStore();
  await subscriptionIn(db);
  for (let at = 0; at < 250; at++) await db.insert();
  const feed = (upTo: number) => feedOutbox(db.pool, upTo, ({ event }) => JSON.stringify(event));
  let isLevel = false;
  while (!isLevel) {
    const fed = await Promise.all(Array.from({ length: 4 }, () => feed(250)));
    isLevel = fed.some(({ kind }) => kind === "level");
  }
  const { rows } = await db.pool.query(
    "select count(*)::int as messages, count(distinct seq)::int as events from outbox_messages",
  );
  expect(rows).toEqual([{ messages: 250, events: 250 }]);
  // An orchestrator whose own tail is behind.
  expect(await feed(100)).toEqual({ kind: "level" });
  expect((await db.pool.query("select seq from outbox_cursor")).rows).toEqual([{ seq: "250" }]);
});
