-- The tasks table is the queue. Whether a task can be claimed is decided when its state changes, not when somebody claims:
--   ready  claimable at this moment (queued, due, and head of its line if it has a concurrency key)
--   line   place in the line of its concurrency key: 1 the head, which holds the key; 2 behind; null not in a line
--
--   state                                                   line   ready
--   without key, queued: due / not due                      null   true / false
--   head: queued and due / running, waiting, in back-off    1      true / false
--   behind (queued, waiting)                                2      false
--   with key, own run_at still ahead; ended                 null   false
--
-- Every change of who stands in a line happens under key_lock(), taken before any row lock; the claim takes none. The
-- unique index on heads with the check on running rows makes two runs of one key at once impossible, whatever the code does.
create sequence tasks_seq cache 1;

create table tasks (
  id uuid primary key,
  seq bigint not null default nextval('tasks_seq'),
  type text not null,
  source text not null,
  status text not null,
  version integer not null default 1,
  payload jsonb not null,
  result jsonb,
  error jsonb,
  correlation_id text,
  trace_id text not null,
  priority smallint not null default 0,
  attempt integer not null default 0,
  max_attempts integer not null,
  -- The first value of max_attempts: what a retry by hand adds, because attempt numbers never start again.
  attempt_budget integer not null,
  run_at timestamptz not null,
  timeout_ms integer not null,
  concurrency_key text,
  parent_id uuid references tasks (id),
  agent text,
  agent_instance text,
  user_key text,
  waiting_for text,
  approval jsonb,
  -- When a waiting task's approval expires; also shown inside `approval`.
  waits_until timestamptz,
  progress jsonb,
  input jsonb,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  lease_id uuid,
  lease_owner text,
  lease_until timestamptz,
  line smallint,
  ready boolean not null,
  constraint tasks_status_check check (status in ('queued', 'running', 'waiting', 'completed', 'failed', 'canceled')),
  constraint tasks_version_check check (version >= 1),
  constraint tasks_attempt_check check (attempt >= 0 and max_attempts >= 1),
  constraint tasks_priority_check check (priority between -100 and 100),
  constraint tasks_trace_id_check check (trace_id ~ '^[0-9a-f]{32}$'),
  constraint tasks_waiting_for_check check ((status = 'waiting') = (waiting_for is not null)),
  constraint tasks_waiting_for_values_check check (waiting_for in ('approval', 'input')),
  constraint tasks_lease_check check ((status = 'running') = (lease_id is not null and lease_until is not null)),
  constraint tasks_finished_check check ((status in ('completed', 'failed', 'canceled')) = (finished_at is not null)),
  constraint tasks_ready_check check (not ready or status = 'queued'),
  constraint tasks_line_check check (line in (1, 2)),
  constraint tasks_line_key_check check (line is null or concurrency_key is not null),
  constraint tasks_line_ended_check check (line is null or finished_at is null),
  constraint tasks_running_head_check check (status <> 'running' or concurrency_key is null or line = 1),
  constraint tasks_ready_head_check check (not ready or concurrency_key is null or line = 1)
);

-- What the claim reads: nothing else is in it, so a million ended or unclaimable tasks cost it nothing.
create index tasks_ready_idx on tasks (type, priority desc, run_at, seq) where ready;
create unique index tasks_head_key on tasks (concurrency_key) where line = 1;
create index tasks_line_idx on tasks (concurrency_key, seq) where line = 2;
create index tasks_timer_idx on tasks (run_at) where status = 'queued' and not ready and line is distinct from 2;
create index tasks_lease_idx on tasks (lease_until) where status = 'running';
create index tasks_waits_idx on tasks (waits_until) where status = 'waiting' and waits_until is not null;
-- What people read. Indexes around status are partial on purpose: with a general one the planner would sort every queued row.
create index tasks_created_idx on tasks (created_at desc, id desc);
create index tasks_trace_idx on tasks (trace_id);
create index tasks_correlation_idx on tasks (correlation_id, created_at desc) where correlation_id is not null;
create index tasks_parent_idx on tasks (parent_id) where parent_id is not null;
create index tasks_open_idx on tasks (created_at desc, id desc) where status in ('queued', 'running', 'waiting');
create index tasks_unhappy_idx on tasks (created_at desc, id desc) where status in ('failed', 'canceled');

-- Rows change two or three times in a short life: room on the page and an eager vacuum keep the small indexes small.
alter table tasks set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
