-- One row an agent instance, renewed by its heartbeat.
create table agent_heartbeats (
  instance text primary key,
  name text not null,
  url text not null,
  types jsonb not null,
  started_at timestamptz(3) not null default now(),
  last_seen_at timestamptz not null default now()
);

-- Every type that any agent has ever registered, by agent: a task of a known type may wait for its agent to come back.
create table task_types (
  type text not null,
  agent text not null,
  description text,
  payload_schema jsonb,
  timeout_ms integer,
  priority smallint not null default 0,
  approval_required boolean not null default false,
  updated_at timestamptz(3) not null default now(),
  primary key (type, agent)
);
