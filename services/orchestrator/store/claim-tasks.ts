import { many, prepared, type Queryable, sql } from "@signalbox/common/sql.ts";
import type { FreeSlot } from "../slots.ts";
import { type Claimed, claimedColumns, toClaimed } from "./rows.ts";

/**
 * Claims the best ready tasks for the free slots: per type by priority, due time and number, at most one a slot. Attempt,
 * lease and `started` event are written by the same statement.
 *
 * The limits go in by type, so a type without slots is not looked at and cannot hold up another. What was picked goes through
 * arrays, which the planner takes for ten rows whatever is in them: joined directly, it guesses a tenth of the table and scans
 * it; with `id = any(array(…))` beside the join it looks every id up for every row.
 * A run starts by the clock and not by the statement's own time, which may lie before the end of the task that it saw go ahead.
 * `n > 0` always holds; it makes the kept plan (see `prepared`) look as cheap to PostgreSQL as it is.
 */
export function claimTasks(
  db: Queryable,
  slots: readonly FreeSlot[],
  lease: { owner: string; ms: number },
): Promise<Claimed[]> {
  const perType = new Map<string, number>();
  const ranks = slots.map((slot) => {
    const rank = (perType.get(slot.type) ?? 0) + 1;
    perType.set(slot.type, rank);
    return rank;
  });
  return many(
    db,
    toClaimed,
    prepared(
      "claim_tasks",
      sql`
    with picked as materialized (
      select r.id, s.type, row_number() over (partition by s.type order by r.priority desc, r.run_at, r.seq) as rank
        from unnest(${[...perType.keys()]}::text[], ${[...perType.values()]}::int[]) s (type, n)
       cross join lateral (
         select t.id, t.priority, t.run_at, t.seq from tasks t where t.ready and t.type = s.type
          order by t.priority desc, t.run_at, t.seq limit s.n for update skip locked) r
       where s.n > 0
    ), placed as materialized (
      select p.id, s.agent, s.instance
        from picked p
        join unnest(${slots.map((slot) => slot.type)}::text[], ${ranks}::int[], ${slots.map((slot) => slot.agent)}::text[],
                    ${slots.map((slot) => slot.instance)}::text[]) s (type, rank, agent, instance)
          on s.type = p.type and s.rank = p.rank
    ), started as (
      update tasks t
         set status = 'running', ready = false, attempt = attempt + 1, version = version + 1, agent = placed.agent,
             agent_instance = placed.instance, started_at = moment.at, updated_at = moment.at, progress = null,
             lease_id = gen_random_uuid(), lease_owner = ${lease.owner}, lease_until = now() + ${lease.ms} * interval '1 ms'
        from unnest(array(select id from placed), array(select agent from placed), array(select instance from placed))
             as placed (id, agent, instance), (select clock_timestamp() as at) moment
       where t.id = placed.id
      returning t.*, task_state(t) as state
    ), noted as (
      insert into task_events (task_id, kind, actor, version, data, state)
      select id, 'started', 'service:orchestrator', version,
             jsonb_build_object('attempt', attempt, 'agent', agent, 'instance', agent_instance, 'orchestrator', lease_owner), state
        from started order by seq
    )
    select ${claimedColumns} from started order by priority desc, run_at, seq`,
    ),
  );
}
