import type { AgentType, Heartbeat } from "@signalbox/common/contracts/agent.ts";
import { exec, many, one, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { TypeRow } from "../type-book.ts";

/** An agent instance as its last heartbeat described it. */
export type AgentRow = {
  name: string;
  instance: string;
  url: string;
  types: AgentType[];
  lastSeenAt: string;
  ageMs: number;
  running: number;
};

/** Records a heartbeat; types are written only when they changed. */
export async function recordHeartbeat(db: Queryable, beat: Heartbeat): Promise<void> {
  const types = JSON.stringify(beat.types);
  await exec(
    db,
    sql`
    with beat as (
      insert into agent_heartbeats (instance, name, url, types) values (${beat.instance}, ${beat.name}, ${beat.url}, ${types}::jsonb)
      on conflict (instance) do update
         set name = excluded.name, url = excluded.url, types = excluded.types, last_seen_at = now()
    )
    insert into task_types (type, agent, description, payload_schema, timeout_ms, priority, approval_required)
    select distinct on (t->>'type') t->>'type', ${beat.name}, t->>'description', nullif(t->'payloadSchema', 'null'), (t->>'timeoutMs')::int,
           coalesce((t->>'priority')::smallint, 0), coalesce(t->>'approval' = 'required', false)
      from jsonb_array_elements(${types}::jsonb) t order by t->>'type'
    on conflict (type, agent) do update
       set description = excluded.description, payload_schema = excluded.payload_schema, timeout_ms = excluded.timeout_ms,
           priority = excluded.priority, approval_required = excluded.approval_required, updated_at = now()
     where (task_types.description, task_types.payload_schema, task_types.timeout_ms, task_types.priority, task_types.approval_required)
           is distinct from
           (excluded.description, excluded.payload_schema, excluded.timeout_ms, excluded.priority, excluded.approval_required)`,
  );
}

/** Every agent instance that was seen within a day, with the number of its running tasks. */
export function listAgents(db: Queryable): Promise<AgentRow[]> {
  return many(
    db,
    toAgentRow,
    sql`
    select a.*, extract(epoch from now() - a.last_seen_at) * 1000 as age_ms, coalesce(r.running, 0) as running
      from agent_heartbeats a
      left join (select agent_instance, count(*)::int as running from tasks where status = 'running' group by 1) r
        on r.agent_instance = a.instance
     where a.last_seen_at > now() - interval '1 day'
     order by a.name, a.instance
     limit 1000`,
  );
}

function toAgentRow(row: Row): AgentRow {
  return {
    name: row.name as string,
    instance: row.instance as string,
    url: row.url as string,
    types: row.types as AgentType[],
    lastSeenAt: (row.last_seen_at as Date).toISOString(),
    ageMs: Number(row.age_ms),
    running: row.running as number,
  };
}

/** Instances whose heartbeat is younger than `staleMs`, for routing. */
export function listLiveAgents(db: Queryable, staleMs: number): Promise<Omit<AgentRow, "running">[]> {
  return many(
    db,
    (row) => toAgentRow({ ...row, running: 0 }),
    sql`
    select *, extract(epoch from now() - last_seen_at) * 1000 as age_ms from agent_heartbeats
     where last_seen_at > now() - ${staleMs} * interval '1 ms' order by instance limit 1000`,
  );
}

/** Running tasks by instance and type that this orchestrator does not itself hold: another's, or deferred ones. */
export function countOthersRunning(
  db: Queryable,
  owner: string,
): Promise<{ instance: string; type: string; running: number }[]> {
  return many(
    db,
    (row) => ({ instance: row.agent_instance as string, type: row.type as string, running: row.running as number }),
    sql`
    select agent_instance, type, count(*)::int as running from tasks
     where status = 'running' and lease_owner is distinct from ${owner} group by 1, 2`,
  );
}

/** Whether any agent has ever been called so, by its name or its instance. */
export function isAgent(db: Queryable, name: string): Promise<boolean> {
  return one(
    db,
    (row) => row.found as boolean,
    sql`
    select exists (select 1 from task_types where agent = ${name})
        or exists (select 1 from agent_heartbeats where ${name} in (name, instance)) as found`,
  );
}

/** Every type that any agent has ever registered, or only one type; the one whose word counts first. */
export function listTypes(db: Queryable, type?: string): Promise<TypeRow[]> {
  return many(
    db,
    toTypeRow,
    sql`
    select * from task_types where ${type ?? null}::text is null or type = ${type ?? null}::text
     order by type, priority desc, agent limit 5000`,
  );
}

function toTypeRow(row: Row): TypeRow {
  return {
    type: row.type as string,
    agent: row.agent as string,
    description: row.description as string | null,
    payloadSchema: row.payload_schema as Record<string, unknown> | null,
    timeoutMs: row.timeout_ms as number | null,
    priority: row.priority as number,
    approvalRequired: row.approval_required as boolean,
  };
}
