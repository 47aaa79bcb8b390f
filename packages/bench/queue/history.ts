import { performance } from "node:perf_hooks";
import { freshDatabase } from "@signalbox/testing/database.ts";
import pg from "pg";
import type { Arena } from "./arena.ts";

/*
 * Tasks as they would lie there after years and after busy days, written straight into the tables: ended ones with their three
 * events, and backlogs of every shape. Each statement is short, so that an interrupt is soon heard.
 */

export type Filling = { signal: AbortSignal; say(line: string): void };

const batch = 50_000;

/** Ended tasks, the newest last, over as many seconds: nine of ten completed, four of a hundred canceled, the rest failed. */
const ended = `
  with made as (
    insert into tasks (id, type, source, status, version, payload, result, error, correlation_id, trace_id, attempt, max_attempts,
                       attempt_budget, run_at, timeout_ms, agent, created_at, updated_at, started_at, finished_at, ready)
    select gen_random_uuid(), 'kind-' || n % 5, 'api', s.status, 3, jsonb_build_object('hello', 'world', 'number', n),
           case s.status when 'completed' then '{"echo":true}'::jsonb end,
           case when s.status <> 'completed' then '{"code":"failed","message":"it failed"}'::jsonb end,
           'order-' || n / 10, md5(n::text), 1, 3, 3, at, 30000, 'bench', at, at + interval '2 s', at + interval '1 s',
           at + interval '2 s', false
      from generate_series($1::int, $2::int) n
     cross join lateral (select now() - ($3 - n) * interval '1 s' as at,
       case when n % 10 <> 0 then 'completed' when n % 100 < 40 then 'canceled' else 'failed' end as status) s
    returning *, task_state(tasks) as state
  )
  insert into task_events (task_id, kind, actor, at, version, data, state)
  select id, e.kind, 'service:bench', e.at, e.version, '{"attempt":1}', state
    from made cross join lateral (values ('created', created_at, 1), ('started', started_at, 2), (status, finished_at, 3)) e (kind, at, version)
   order by seq, e.version`;

/** Queued tasks of three types, in the order of their numbers; the trigger puts those with a key into their lines. */
const queued = `
  insert into tasks (id, type, source, status, payload, trace_id, priority, max_attempts, attempt_budget, run_at, timeout_ms,
                     concurrency_key, ready)
  select gen_random_uuid(), case when $3 then 'nobody' else 'type-' || n % 3 end, 'api', 'queued', '{"hello":"world"}', md5(n::text),
         $4::int, 3, 3, now() + case when $5 then interval '1 day' else interval '0' end, 30000,
         case when $6::int > 0 then $7 || n % $6::int end, not $5
    from generate_series($1::int, $2::int) n`;

export type Backlog = {
  count: number;
  /** so many concurrency keys; none when left out */
  keys?: number;
  priority?: number;
  /** of a type that no agent takes */
  isUnroutable?: boolean;
  /** due tomorrow */
  isFuture?: boolean;
};

/** By arena: what was filled once is copied from then on, which takes seconds instead of minutes. */
const filled = new WeakMap<Arena, Map<number, Promise<string>>>();

/** The name of a database with that many ended tasks, to begin others with. */
export function endedTasks(arena: Arena, count: number, filling: Filling): Promise<string> {
  const known = filled.get(arena) ?? new Map<number, Promise<string>>();
  filled.set(arena, known);
  const found = known.get(count) ?? makeEnded(arena, count, filling);
  known.set(count, found);
  return found;
}

async function makeEnded({ cluster }: Arena, count: number, filling: Filling): Promise<string> {
  // It goes with the arena's server.
  const database = await freshDatabase(cluster.url);
  await fillEnded(database.url, count, filling);
  await database.pool.end();
  return database.name;
}

async function fillEnded(url: string, count: number, { signal, say }: Filling): Promise<void> {
  await withClient(url, async (client) => {
    const startedAt = performance.now();
    for (let from = 1; from <= count; from += batch) {
      signal.throwIfAborted();
      await client.query(ended, [from, Math.min(count, from + batch - 1), count]);
      if (from % 200_000 === 1) say(`${from - 1} of ${count} ended tasks are in the tables`);
    }
    await client.query("vacuum analyze tasks");
    await client.query("vacuum analyze task_events");
    say(`${count} ended tasks and ${3 * count} events took ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
  });
}

export async function fillBacklogs(url: string, backlogs: readonly Backlog[], { signal }: Filling): Promise<void> {
  await withClient(url, async (client) => {
    for (const [at, backlog] of backlogs.entries()) {
      const { count, keys = 0, priority = 0, isUnroutable = false, isFuture = false } = backlog;
      // Each new key is a lock until the end of its statement.
      const most = keys > 1_000 ? 5_000 : batch;
      for (let from = 1; from <= count; from += most) {
        signal.throwIfAborted();
        const to = Math.min(count, from + most - 1);
        await client.query(queued, [from, to, isUnroutable, priority, isFuture, keys, `key-${at}-`]);
      }
    }
    await client.query("vacuum analyze tasks");
  });
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
