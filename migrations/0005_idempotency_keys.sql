-- A caller's Idempotency-Key, the hash of the body that it came with, and the task that it made. Kept for at least 24 h.
create table idempotency_keys (
  key text primary key,
  body_hash bytea not null,
  task_id uuid not null,
  created_at timestamptz(3) not null default now()
);

create index idempotency_keys_created_idx on idempotency_keys (created_at);
