-- What the PostHog watcher keeps: monitors that were put, what was read of each series, what was found, and what is to be done about it.

-- A monitor that was put over the API; it wins over a file of the same name.
create table watch_monitors (
  name text primary key,
  definition jsonb not null,
  version integer not null default 1,
  updated_by text not null,
  updated_at timestamptz(3) not null default now()
);

-- How far each monitor has been judged. `version` fences: two watchers that judge the same buckets make one finding, because only one of
-- them moves it on.
create table watch_states (
  monitor text primary key,
  version bigint not null default 1,
  -- Of what the series is made of: another definition begins anew.
  shape text not null,
  judged_until timestamptz(3),
  -- The episodes under way, by series.
  tracks jsonb not null default '{}',
  failures integer not null default 0,
  error text,
  ran_at timestamptz(3),
  succeeded_at timestamptz(3),
  next_try_at timestamptz(3)
);

-- Each bucket as it was first read and as it is now known. Detectors are built anew from these rows after a restart.
create table watch_buckets (
  monitor text not null,
  -- Empty, or which of many things of one monitor.
  series text not null,
  at timestamptz(3) not null,
  first_value double precision not null,
  value double precision not null,
  volume double precision,
  expected double precision,
  low double precision,
  high double precision,
  score double precision,
  -- Whether a detector may learn from it.
  is_ordinary boolean not null,
  revised_at timestamptz(3),
  constraint watch_buckets_pkey primary key (monitor, series, at)
);

create index watch_buckets_at_idx on watch_buckets (at);

create table watch_findings (
  id uuid primary key,
  monitor text not null,
  series text,
  direction text not null,
  dedupe_key text not null,
  status text not null,
  severity text not null,
  title text not null,
  opened_at timestamptz(3) not null,
  evidence jsonb not null,
  probable_causes jsonb not null default '[]',
  observed jsonb not null,
  proposed_task_ids uuid[] not null default '{}',
  version integer not null default 1,
  group_name text,
  owner text,
  runbook text,
  snoozed_until timestamptz(3),
  resolved_at timestamptz(3),
  updated_at timestamptz(3) not null default now(),
  reopened integer not null default 0,
  note text,
  constraint watch_findings_status_check check (status in ('open', 'acknowledged', 'snoozed', 'resolved', 'declined')),
  constraint watch_findings_severity_check check (severity in ('info', 'warning', 'critical')),
  constraint watch_findings_direction_check check (direction in ('up', 'down'))
);

-- One open finding a problem, however many watchers there are.
create unique index watch_findings_open_key on watch_findings (dedupe_key) where status in ('open', 'acknowledged', 'snoozed');
create index watch_findings_opened_idx on watch_findings (opened_at desc, id desc);
create index watch_findings_monitor_idx on watch_findings (monitor, opened_at desc);
create index watch_findings_key_idx on watch_findings (dedupe_key, opened_at desc);

create table watch_finding_events (
  id uuid primary key,
  finding_id uuid not null,
  kind text not null,
  actor text not null,
  at timestamptz(3) not null default clock_timestamp(),
  data jsonb not null default '{}'
);

create index watch_finding_events_finding_idx on watch_finding_events (finding_id, id);

create trigger watch_finding_events_append_only before update or delete or truncate on watch_finding_events
  for each statement execute function refuse_change();

-- Tasks that are to be made. Written with what they follow from, in one transaction, and sent afterwards with the id as idempotency key.
create table watch_intents (
  id uuid primary key,
  kind text not null,
  -- The same key again is the same intent.
  dedupe_key text not null,
  finding_id uuid,
  task jsonb not null,
  status text not null default 'queued',
  attempts integer not null default 0,
  not_before timestamptz(3) not null default now(),
  task_id uuid,
  error text,
  created_at timestamptz(3) not null default now(),
  -- By the watcher's clock, which a digest goes by.
  at timestamptz(3) not null,
  ended_at timestamptz(3),
  constraint watch_intents_dedupe_key unique (dedupe_key),
  constraint watch_intents_kind_check check (kind in ('propose', 'execute', 'reverse', 'notify', 'annotate', 'wakeup')),
  constraint watch_intents_status_check check (status in ('queued', 'sent', 'failed', 'held'))
);

create index watch_intents_open_idx on watch_intents (not_before) where status = 'queued';
create index watch_intents_finding_idx on watch_intents (finding_id);
create index watch_intents_at_idx on watch_intents (kind, at);

-- Actions under way or ended: each is looked after until it is known whether the metric came back.
create table watch_actions (
  intent_id uuid primary key references watch_intents (id),
  finding_id uuid not null,
  monitor text not null,
  type text not null,
  is_unasked boolean not null,
  state text not null default 'asked',
  finished_at timestamptz(3),
  undo jsonb,
  updated_at timestamptz(3) not null default now(),
  constraint watch_actions_state_check check (state in ('asked', 'checking', 'helped', 'not_helped', 'reversed', 'failed', 'refused'))
);

create index watch_actions_open_idx on watch_actions (updated_at) where state in ('asked', 'checking');

-- Runs that were asked for, and what became of them.
create table watch_runs (
  id uuid primary key,
  monitor text,
  reason text not null,
  actor text not null,
  state text not null default 'queued',
  outcome jsonb,
  asked_at timestamptz(3) not null default now(),
  ended_at timestamptz(3),
  constraint watch_runs_state_check check (state in ('queued', 'done', 'failed'))
);

create index watch_runs_open_idx on watch_runs (asked_at) where state = 'queued';
create index watch_runs_asked_idx on watch_runs (asked_at);

-- Which wakeup fired for which moment: the insert decides who fires it.
create table watch_wakeup_fires (
  title text not null,
  due_at timestamptz(3) not null,
  is_late boolean not null,
  fired_at timestamptz(3) not null default now(),
  constraint watch_wakeup_fires_pkey primary key (title, due_at)
);

-- Changes that no task tells of: flags that somebody switched in PostHog.
create table watch_changes (
  kind text not null,
  id text not null,
  title text not null,
  at timestamptz(3) not null,
  constraint watch_changes_pkey primary key (kind, id, at)
);

create index watch_changes_at_idx on watch_changes (at);

-- Single values with a version: wakeups, the mode of last time, the stop, the flags as they were, the watermark.
create table watch_memory (
  key text primary key,
  value jsonb not null,
  version integer not null default 1,
  updated_by text not null,
  updated_at timestamptz(3) not null default now()
);

-- One instance at a time watches.
create table watch_leases (
  name text primary key,
  holder text not null,
  held_until timestamptz(3) not null
);
