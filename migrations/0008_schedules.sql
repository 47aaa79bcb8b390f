-- What makes tasks by the clock. `next_at` is the next fire; null when there is none any more.
create table schedules (
  id uuid primary key,
  name text not null,
  cron text,
  every_seconds integer,
  once_at timestamptz(3),
  timezone text not null default 'UTC',
  task jsonb not null,
  missed text not null default 'skip',
  enabled boolean not null default true,
  -- Where `every_seconds` counts from.
  anchor_at timestamptz(3) not null default now(),
  next_at timestamptz(3),
  last_fired_at timestamptz(3),
  last_task_id uuid,
  last_error text,
  created_by text not null,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  constraint schedules_when_check check (num_nonnulls(cron, every_seconds, once_at) = 1),
  constraint schedules_missed_check check (missed in ('skip', 'once', 'all')),
  constraint schedules_every_check check (every_seconds >= 1)
);

create index schedules_due_idx on schedules (next_at) where enabled and next_at is not null;
create index schedules_created_idx on schedules (created_at desc, id desc);

-- One row a fire: whatever the replicas and their clocks do, a fire is made once.
create table schedule_fires (
  schedule_id uuid not null references schedules (id) on delete cascade,
  fire_at timestamptz(3) not null,
  task_id uuid not null,
  fired_at timestamptz(3) not null default now(),
  primary key (schedule_id, fire_at)
);

create index schedule_fires_fired_idx on schedule_fires (fired_at);
