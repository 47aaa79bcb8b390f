-- One row a webhook delivery, under the id that its sender gave it: what came, whose signature it had, which rules took it and
-- what became of them. It commits together with its tasks, so a delivery that is seen here is also done.
create table webhook_deliveries (
  id uuid primary key,
  source text not null,
  delivery_id text not null,
  event text,
  action text,
  received_at timestamptz(3) not null default now(),
  headers jsonb not null,
  -- The bytes as they were signed; null once they are forgotten.
  body bytea,
  -- Which secret it was signed with.
  signature text not null,
  rules_hash text not null,
  -- What became of every rule that took it, a replay after the other.
  rules jsonb not null default '[]',
  outcome text not null,
  runs integer not null default 1,
  duplicates integer not null default 0,
  constraint webhook_deliveries_delivery_key unique (delivery_id, source),
  constraint webhook_deliveries_outcome_check check (outcome in ('accepted', 'ignored', 'failed', 'ping', 'unreadable'))
);

create index webhook_deliveries_received_idx on webhook_deliveries (received_at desc, id desc);
create index webhook_deliveries_source_idx on webhook_deliveries (source, received_at desc, id desc);
create index webhook_deliveries_body_idx on webhook_deliveries (received_at) where body is not null;

-- A rule makes one task of one run of a delivery, whoever tries it again. Run 1 is the delivery itself, each replay is one more.
create table webhook_tasks (
  delivery_id uuid not null references webhook_deliveries (id) on delete cascade,
  rule text not null,
  run integer not null,
  task_id uuid not null,
  primary key (delivery_id, rule, run)
);

-- When each hook of GitHub is next to be asked for deliveries that never arrived: whoever moves the time on does the asking.
create table webhook_reconciles (
  hook text primary key,
  next_at timestamptz(3) not null
);
