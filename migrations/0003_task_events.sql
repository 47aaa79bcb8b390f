-- The ledger: every change of a task is one row here, written by the statement that made the change.
-- `xid` stands before `seq`, so that a writer owns its transaction id before it draws its number: the live tail delivers up to
-- a sampled barrier and relies on that order of events. An event's public id is made of `at` and `seq`, so it needs no column.
-- No foreign key to tasks: an event is only ever written beside its task's row, and tasks are never deleted.
create sequence task_events_seq cache 1;

create table task_events (
  xid xid8 not null default pg_current_xact_id(),
  seq bigint primary key default nextval('task_events_seq'),
  task_id uuid not null,
  kind text not null,
  actor text not null,
  -- The wall clock, not the transaction's start: a writer that waited for the row's lock must not date back behind the one it
  -- waited for.
  at timestamptz(3) not null default clock_timestamp(),
  version integer not null,
  data jsonb not null default '{}',
  -- What the task looked like after this event (see task_state), so that a frame shows that version and not a later one.
  state jsonb not null,
  constraint task_events_kind_check check (kind in (
    'created', 'started', 'progress', 'completed', 'failed', 'retry_scheduled', 'lease_expired', 'canceled', 'patched',
    'approval_requested', 'approved', 'rejected', 'input_requested', 'input_received', 'side_effect', 'result_discarded', 'note'
  ))
);

create index task_events_task_idx on task_events (task_id, seq);

-- The parts of a task that change, without payload and result (those are kept once, in the task), as an array: it is
-- written with every event, and names would be most of its bytes.
create function task_state(t tasks) returns jsonb language sql stable as $$
  select jsonb_build_array(
    t.status, t.attempt, t.max_attempts, t.priority, extract(epoch from t.run_at) * 1000, t.agent, t.waiting_for, t.approval,
    t.progress, t.error, extract(epoch from t.updated_at) * 1000, extract(epoch from t.started_at) * 1000,
    extract(epoch from t.finished_at) * 1000, t.correlation_id, t.result is not null
  )
$$;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, lower(tg_op) using errcode = 'restrict_violation';
end
$$;

create trigger task_events_append_only before update or delete or truncate on task_events
  for each statement execute function refuse_change();
