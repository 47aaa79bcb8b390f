-- What renderctl must remember of what it asks Render for. No value of an environment variable is in any of it.

-- What a task is about to have made, written before it is asked for: whoever runs the task again looks first whether it is
-- there. A task that a person retries after its end begins a new round.
create table render_intents (
  task_id uuid not null,
  round integer not null,
  service_id text,
  -- The newest deploy of the service before, by which one of ours can be told from those that were there.
  seen_deploy_id text,
  -- What Render made, once it is known.
  result jsonb,
  begun_at timestamptz(3) not null default now(),
  done_at timestamptz(3),
  constraint render_intents_pkey primary key (task_id, round)
);

create index render_intents_begun_idx on render_intents (begun_at);

-- The deploys that were asked for here, with the task and the trace they belong to: what changed before something broke?
create table render_deploys (
  deploy_id text primary key,
  service_id text not null,
  task_id uuid,
  trace_id text,
  status text not null,
  trigger text,
  commit_id text,
  commit_message text,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  finished_at timestamptz(3)
);

create index render_deploys_service_idx on render_deploys (service_id, created_at desc);
