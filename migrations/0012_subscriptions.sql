-- Who is told of events, where, and how the telling goes. `secret` is encrypted with SECRETS_KEY. A row that is deleted stays
-- until its messages are gone: they may be many.
create table subscriptions (
  id uuid primary key,
  url text not null,
  kinds text[] not null,
  -- Task types; null: every one.
  types text[],
  secret text not null,
  enabled boolean not null default true,
  disabled_reason text,
  -- Its events are those with a higher number.
  from_seq bigint not null,
  -- Failed attempts since one succeeded, and since when.
  failures integer not null default 0,
  failing_since timestamptz(3),
  delivered_at timestamptz(3),
  -- The receiver asked for peace until then.
  hold_until timestamptz(3),
  -- What waits is to be due again with all its attempts before it; null: it is.
  renewed_at timestamptz(3),
  last_attempt_at timestamptz(3),
  last_outcome text,
  last_status integer,
  last_error text,
  created_by text not null,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  deleted_at timestamptz(3),
  constraint subscriptions_kinds_check check (cardinality(kinds) > 0),
  constraint subscriptions_last_outcome_check check (last_outcome in ('delivered', 'failed'))
);

create index subscriptions_created_idx on subscriptions (created_at desc, id desc) where deleted_at is null;

-- One event for one subscription: the outbox. Its id is the `webhook-id` of every attempt, its body the bytes that are signed.
-- While it is being sent, `lease_id` says by whom and `next_at` until when that is believed.
create table outbox_messages (
  id uuid primary key,
  subscription_id uuid not null references subscriptions (id),
  seq bigint not null,
  task_id uuid not null,
  -- Null once it has ended.
  body text,
  attempts integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  next_at timestamptz not null default clock_timestamp(),
  lease_id uuid,
  ended_at timestamptz(3),
  outcome text,
  -- An event is told once, whoever reads it from the ledger.
  constraint outbox_messages_event_key unique (subscription_id, seq),
  constraint outbox_messages_outcome_check check (outcome in ('delivered', 'exhausted', 'gone')),
  constraint outbox_messages_ended_check check ((ended_at is null) = (outcome is null) and (ended_at is null) = (body is not null))
);

create index outbox_messages_due_idx on outbox_messages (subscription_id, next_at, seq) where ended_at is null;
create index outbox_messages_leased_idx on outbox_messages (subscription_id) where lease_id is not null;
create index outbox_messages_ended_idx on outbox_messages (ended_at) where ended_at is not null;
-- No index on all that waits, such as by its age: whatever asks about one subscription would be planned by it, and read the others' too.

-- Up to where the ledger has been read into the outbox. Whoever locks the row reads on.
create table outbox_cursor (
  id boolean primary key default true,
  seq bigint not null default 0,
  constraint outbox_cursor_id_check check (id)
);

insert into outbox_cursor default values;
