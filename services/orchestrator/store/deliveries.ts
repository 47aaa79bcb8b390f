/*
 * The ledger of webhook deliveries. A delivery, the tasks of its rules and what became of each rule are one transaction: a
 * process that dies in between leaves nothing, and the sender's next try finds nothing; one that dies after it has answered for
 * good. "Seen" is therefore never more than "done".
 *
 * The unique (delivery_id, source) lets one of several arrivals at the same moment in; the others wait for its end and read what
 * it stored. Every transaction takes all its key locks first and in the one order of `key_lock`, those of `dedupe` keys too, so
 * that two deliveries whose rules share keys cannot wait for each other.
 */
import type { Task } from "@signalbox/common/contracts/task.ts";
import type {
  Delivery,
  DeliveryOutcome,
  DeliveryQuery,
  DeliveryWithBody,
  RuleResult,
} from "@signalbox/common/contracts/webhook.ts";
import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import {
  exec,
  joinSql,
  many,
  maybeOne,
  one,
  type Pool,
  type Queryable,
  type Row,
  rawSql,
  type Sql,
  sql,
  transaction,
} from "@signalbox/common/sql.ts";
import { sqlState } from "@signalbox/common/sql-state.ts";
import type { NewTask } from "../new-task.ts";
import { judgeOutcome, listFailedRules, listMade, mergeResults } from "../webhook-outcome.ts";
import { getReplayed, insertTask } from "./create-task.ts";

export type NewDelivery = {
  id: string;
  source: string;
  deliveryId: string;
  event: string | null;
  action: string | null;
  headers: Record<string, string>;
  body: Buffer;
  signature: string;
  rulesHash: string;
  /** What became of it whatever the rules say; null: they decide. */
  outcome: "ping" | "unreadable" | null;
};

/** A rule that took the delivery, and the task that it wants, or why there can be none. */
export type RuleDraft = { rule: string } & ({ task: NewTask } | { failed: string });

/** The delivery as it is stored now, whether this call stored it, and the tasks that this call made. */
export type Recorded = { delivery: Delivery; isNew: boolean; made: Task[] };

const columns = rawSql(
  "id, source, delivery_id, event, action, received_at, signature, rules_hash, rules, outcome, runs, duplicates",
);

function toDelivery(row: Row): Delivery {
  const rules = row.rules as RuleResult[];
  return {
    id: row.id as string,
    source: row.source as string,
    event: row.event as string | null,
    action: row.action as string | null,
    deliveryId: row.delivery_id as string,
    receivedAt: (row.received_at as Date).toISOString(),
    signature: row.signature as string,
    rules,
    rulesHash: row.rules_hash as string,
    taskIds: listMade(rules),
    duplicates: row.duplicates as number,
    outcome: row.outcome as DeliveryOutcome,
  };
}

/**
 * Stores a delivery with the tasks of its rules. One that is known already is counted and makes nothing, but that rules which
 * could not make their task before are tried again.
 */
export async function recordDelivery(pool: Pool, given: NewDelivery, drafts: readonly RuleDraft[]): Promise<Recorded> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryRecord(pool, given, drafts);
    } catch (error) {
      if (attempt === maxTries || !busyStates.has(sqlState(error) ?? "")) throw error;
    }
  }
}

/** GitHub does not come again by itself, and waits ten seconds: long enough to wait for a lock more than once. */
const maxTries = 3;
const busyStates = new Set(["40001", "40P01", "55P03"]);

function tryRecord(pool: Pool, given: NewDelivery, drafts: readonly RuleDraft[]): Promise<Recorded> {
  return transaction(pool, async (db) => {
    await lockKeys(db, drafts);
    const delivery = await one(
      db,
      toDelivery,
      sql`
      insert into webhook_deliveries (id, source, delivery_id, event, action, headers, body, signature, rules_hash, outcome)
      values (${given.id}, ${given.source}, ${given.deliveryId}, ${given.event}, ${given.action},
              ${JSON.stringify(given.headers)}::jsonb, ${given.body}, ${given.signature}, ${given.rulesHash},
              ${given.outcome ?? "ignored"})
      on conflict (delivery_id, source) do update set duplicates = webhook_deliveries.duplicates + 1
      returning ${columns}`,
    );
    const isNew = delivery.id === given.id;
    const failed = new Set(listFailedRules(delivery));
    const wanted = isNew ? drafts : drafts.filter(({ rule }) => failed.has(rule));
    if (wanted.length === 0) return { delivery, isNew, made: [] };
    const { results, made } = await makeTasks(db, { delivery, run: 1 }, wanted);
    const rules = mergeResults(delivery.rules, results);
    const stored = await noteResults(db, delivery.id, { rules, run: 1, rulesHash: given.rulesHash });
    return { delivery: stored, isNew, made };
  });
}

/** Runs the rules once more on a stored delivery. Null: there is none of that id. */
export function replayDelivery(
  pool: Pool,
  id: string,
  replay: { by: string; rulesHash: string },
  drafts: readonly RuleDraft[],
): Promise<Recorded | null> {
  return transaction(pool, async (db) => {
    await lockKeys(db, drafts);
    const found = await maybeOne(
      db,
      (row) => ({ delivery: toDelivery(row), run: (row.runs as number) + 1 }),
      sql`select ${columns} from webhook_deliveries where id = ${id} for update`,
    );
    if (found === null) return null;
    const { delivery, run } = found;
    const { results, made } = await makeTasks(db, found, drafts);
    const rules = [...delivery.rules, ...results.map((result) => ({ ...result, by: replay.by }))];
    const stored = await noteResults(db, id, { rules, run, rulesHash: replay.rulesHash });
    return { delivery: stored, isNew: false, made };
  });
}

async function lockKeys(db: Queryable, drafts: readonly RuleDraft[]): Promise<void> {
  const tasks = drafts.flatMap((draft) => ("task" in draft ? [draft.task] : []));
  const keys = tasks.flatMap(({ concurrencyKey, idempotency }) => [concurrencyKey, idempotency?.key ?? null]);
  const taken = keys.filter((key) => key !== null);
  if (taken.length > 0) await exec(db, sql`select key_lock(${taken}::text[])`);
}

/** Its outcome is that of the run; a replay may mend a delivery, and what no rule takes any more stays what it was. */
function noteResults(
  db: Queryable,
  id: string,
  { rules, run, rulesHash }: { rules: RuleResult[]; run: number; rulesHash: string },
): Promise<Delivery> {
  const ofRun = rules.filter((result) => result.run === run);
  const outcome = ofRun.length === 0 ? null : judgeOutcome(ofRun);
  return one(
    db,
    toDelivery,
    sql`
    update webhook_deliveries
       set rules = ${JSON.stringify(rules)}::jsonb, rules_hash = ${rulesHash}, runs = greatest(runs, ${run}::int),
           outcome = coalesce(${outcome}, outcome)
     where id = ${id} returning ${columns}`,
  );
}

type Run = { delivery: Delivery; run: number };

async function makeTasks(db: Queryable, run: Run, drafts: readonly RuleDraft[]) {
  const results: RuleResult[] = [];
  const made: Task[] = [];
  for (const draft of drafts) {
    const outcome = "task" in draft ? await makeTask(db, run, draft) : { failed: draft.failed };
    results.push(toResult(draft.rule, run.run, outcome));
    if ("made" in outcome) made.push(outcome.made);
  }
  return { results, made };
}

type Outcome = { made: Task } | { first: string } | { failed: string };

function toResult(rule: string, run: number, outcome: Outcome): RuleResult {
  if ("made" in outcome) return { rule, run, outcome: "made", taskId: outcome.made.id, reason: null };
  if ("first" in outcome) return { rule, run, outcome: "duplicate", taskId: outcome.first, reason: null };
  return { rule, run, outcome: "failed", taskId: null, reason: outcome.failed };
}

/** What one rule's task is refused for must not take the delivery and the other rules with it, so it has a savepoint. */
async function makeTask(
  db: Queryable,
  { delivery, run }: Run,
  { rule, task }: { rule: string; task: NewTask },
): Promise<Outcome> {
  await exec(db, rawSql("savepoint rule"));
  try {
    const made = await insertTask(db, task);
    if (made === null) return { first: (await getReplayed(db, task.idempotency?.key ?? "")).task.id };
    await exec(
      db,
      sql`
      insert into webhook_tasks (delivery_id, rule, run, task_id) values (${delivery.id}, ${rule}, ${run}, ${made.id})`,
    );
    await exec(db, rawSql("release savepoint rule"));
    return { made };
  } catch (error) {
    const state = sqlState(error) ?? "";
    if (!/^(?:22|23|54)/.test(state)) throw error;
    await exec(db, rawSql("rollback to savepoint rule"));
    return { failed: `PostgreSQL refuses its task (${state})` };
  }
}

/** Null: there is none. `id` is ours; the newest of the sender's own id is found too. */
export function findDelivery(db: Queryable, id: string): Promise<(DeliveryWithBody & { raw: Buffer | null }) | null> {
  const isOurs = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? id : null;
  return maybeOne(
    db,
    (row) => ({
      ...toDelivery(row),
      headers: row.headers as Record<string, string>,
      body: null,
      raw: row.body as Buffer | null,
    }),
    sql`
    select ${columns}, headers, body from webhook_deliveries
     where id = coalesce((select id from webhook_deliveries where id = ${isOurs}::uuid),
                         (select id from webhook_deliveries where delivery_id = ${id} order by received_at desc limit 1))`,
  );
}

export async function listDeliveries(
  db: Queryable,
  query: DeliveryQuery,
): Promise<{ items: Delivery[]; nextCursor: string | null }> {
  const limit = query.limit ?? 50;
  const filters: Sql[] = [sql`true`];
  if (query.source !== undefined) filters.push(sql`source = ${query.source}`);
  if (query.outcome !== undefined) filters.push(sql`outcome = ${query.outcome}`);
  if (query.event !== undefined) filters.push(sql`event = ${query.event}`);
  if (query.cursor !== undefined) {
    const [receivedAt, id] = decodeCursor(query.cursor, ["instant", "uuid"]);
    filters.push(sql`(received_at, id) < (${receivedAt}::timestamptz, ${id}::uuid)`);
  }
  const found = await many(
    db,
    toDelivery,
    sql`
    select ${columns} from webhook_deliveries where ${joinSql(filters, " and ")}
     order by received_at desc, id desc limit ${limit + 1}`,
  );
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > limit && last ? encodeCursor([last.receivedAt, last.id]) : null };
}

/** Which of a sender's delivery ids are in the ledger. */
export function listKnownDeliveries(db: Queryable, source: string, ids: readonly string[]): Promise<string[]> {
  return many(
    db,
    (row) => row.delivery_id as string,
    sql`select delivery_id from webhook_deliveries where source = ${source} and delivery_id = any (${[...ids]}::text[])`,
  );
}

/** Forgets bodies older than thirty days; what became of a delivery stays. */
export function forgetDeliveryBodies(db: Queryable, limit: number): Promise<number> {
  return exec(
    db,
    sql`
    update webhook_deliveries set body = null where id = any (array(
      select id from webhook_deliveries where body is not null and received_at < now() - interval '30 days'
       order by received_at limit ${limit}))`,
  );
}

/** True: this hook is ours to ask now, and nobody else's before the time is over. */
export async function claimReconcile(db: Queryable, hook: string, everySeconds: number): Promise<boolean> {
  const claimed = await exec(
    db,
    sql`
    insert into webhook_reconciles as r (hook, next_at) values (${hook}, now() + make_interval(secs => ${everySeconds}))
    on conflict (hook) do update set next_at = excluded.next_at where r.next_at <= now()`,
  );
  return claimed === 1;
}

export type Redelivery = { id: string; hook: string; deliveryId: string; attemptId: string; orchestrator: string };

/** Puts down that GitHub is about to be asked to send a delivery again. */
export async function noteRedelivery(db: Queryable, asked: Redelivery): Promise<void> {
  await exec(
    db,
    sql`
    insert into webhook_redeliveries (id, hook, delivery_id, attempt_id, orchestrator)
    values (${asked.id}, ${asked.hook}, ${asked.deliveryId}, ${asked.attemptId}, ${asked.orchestrator})`,
  );
}

/** GitHub said yes. */
export async function noteRedeliveryAccepted(db: Queryable, id: string): Promise<void> {
  await exec(db, sql`update webhook_redeliveries set accepted_at = clock_timestamp() where id = ${id}`);
}
