-- What renderctl keeps of blueprints: plans that were shown, applies with a ledger of their steps, and which live resources are
-- theirs. No value of an environment variable is in any of it: plans hold masks, and hashes are keyed.

-- A plan as it was shown; only this very plan can be applied by its id, and only while what it saw has not moved.
create table render_plans (
  id uuid primary key,
  account text not null,
  blueprint_path text not null,
  -- The file as it was read, so that an apply which goes on after a restart goes on with the same.
  blueprint text not null,
  prune boolean not null,
  plan jsonb not null,
  fingerprint text not null,
  -- A hash a resource, by which what moved can be named.
  seen jsonb not null,
  actor text not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null
);

create index render_plans_expires_idx on render_plans (expires_at);

create table render_applies (
  id uuid primary key,
  account text not null,
  plan_id uuid not null,
  -- The task that carries it out, once there is one, and how often that task had ended before: what is retried is a new apply.
  task_id uuid,
  task_round integer not null default 0,
  blueprint_path text not null,
  blueprint text not null,
  prune boolean not null,
  fingerprint text not null,
  plan jsonb not null,
  actor text not null,
  state text not null,
  error text,
  -- Who carries it out now; every write of its ledger shows this id.
  lease_id uuid,
  lease_owner text,
  lease_until timestamptz(3),
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  constraint render_applies_task_key unique (task_id, task_round),
  constraint render_applies_state_check check (state in ('requested', 'running', 'done', 'failed'))
);

-- One at a time in an account, however many processes there are.
create unique index render_applies_running_key on render_applies (account) where state = 'running';
create index render_applies_created_idx on render_applies (created_at desc, id desc);

create table render_apply_steps (
  apply_id uuid not null references render_applies (id) on delete cascade,
  position integer not null,
  step_id text not null,
  step jsonb not null,
  state text not null default 'pending',
  attempts integer not null default 0,
  -- What a later attempt must know, such as the newest deploy from before the first.
  note jsonb not null default '{}',
  -- Every request that changed something, without what was sent.
  writes jsonb not null default '[]',
  error text,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  constraint render_apply_steps_pkey primary key (apply_id, position),
  constraint render_apply_steps_step_key unique (apply_id, step_id),
  constraint render_apply_steps_state_check
    check (state in ('pending', 'running', 'done', 'failed', 'skipped', 'unknown'))
);

-- What an apply has made or changed: only this may ever be pruned.
create table render_managed (
  resource_id text primary key,
  account text not null,
  resource text not null,
  at timestamptz(3) not null default now()
);
