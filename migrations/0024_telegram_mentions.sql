-- Which tasks a message tells of when it is about several: a page of alerts, a message that counts repeats, the file of a storm. The audit
-- of each says so once what is to be said has been sent. Messages about one task have it in their own row.
create table telegram_mentions (
  outbox_id uuid not null references telegram_outbox (id) on delete cascade,
  -- Of what was told; a notice is mentioned once in a message.
  notice_id uuid not null,
  task_id uuid not null,
  audited_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  constraint telegram_mentions_pkey primary key (outbox_id, notice_id)
);

create index telegram_mentions_open_idx on telegram_mentions (created_at) where audited_at is null;
