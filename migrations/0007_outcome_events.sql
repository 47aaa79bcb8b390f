-- Outcomes that observers report: what was tried, by which signature, and whether it worked.
create table outcome_events (
  xid xid8 not null default pg_current_xact_id(),
  seq bigint generated always as identity primary key,
  id uuid not null unique,
  at timestamptz(3) not null default now(),
  source text not null,
  cycle_id text not null,
  sig_hash text not null,
  event_kind text not null,
  ok boolean not null,
  staffer_id text,
  turns integer,
  duration_ms bigint,
  extra jsonb not null default '{}'
);

create index outcome_events_sig_hash_idx on outcome_events (sig_hash, seq desc);
create index outcome_events_source_idx on outcome_events (source, seq desc);

create trigger outcome_events_append_only before update or delete or truncate on outcome_events
  for each statement execute function refuse_change();
