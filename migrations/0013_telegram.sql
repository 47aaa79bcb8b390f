-- What the Telegram adapter keeps: all of it can be lost with the process at any instruction, so all of it is here. `bot` is the number
-- before the colon of a bot's token, so that another bot never takes this one's rows for its own.

-- Every update that Telegram sent, by its own number: the insert decides what is new. Rows of one `line` are worked off one at a time in
-- the order of their numbers. A webhook's updates overtake each other; one with a gap before it waits until `gap_until` for the missing one.
create table telegram_inbox (
  bot text not null,
  update_id bigint not null,
  line text not null,
  -- Null once it is forgotten.
  raw jsonb,
  status text not null default 'new',
  attempts integer not null default 0,
  not_before timestamptz(3) not null default now(),
  gap_until timestamptz(3),
  -- What became of it.
  note text,
  received_at timestamptz(3) not null default now(),
  done_at timestamptz(3),
  constraint telegram_inbox_pkey primary key (bot, update_id),
  constraint telegram_inbox_status_check check (status in ('new', 'done', 'failed'))
);

create index telegram_inbox_open_idx on telegram_inbox (bot, line, update_id) where status = 'new';
create index telegram_inbox_kept_idx on telegram_inbox (done_at) where raw is not null and status <> 'new';

-- One row a task that a chat asked for, written before the task is made: whatever the stream says of it finds its chat.
create table telegram_runs (
  bot text not null,
  update_id bigint not null,
  chat_id bigint not null,
  thread_id bigint,
  message_id bigint not null,
  user_id bigint not null,
  task_id uuid,
  -- Whether the chat still waits for its end.
  is_open boolean not null default true,
  -- The version at which it asks the chat for input.
  input_version integer,
  created_at timestamptz(3) not null default now(),
  ended_at timestamptz(3),
  constraint telegram_runs_pkey primary key (bot, update_id)
);

create index telegram_runs_open_idx on telegram_runs (bot, update_id) where is_open;
create index telegram_runs_task_idx on telegram_runs (task_id);
create index telegram_runs_chat_idx on telegram_runs (bot, chat_id) where input_version is not null;

-- What is to be sent and what was. Messages of one chat leave in the order of `seq`. A row with `edits` changes a message that was sent
-- before; of one message at most one such row waits, and a newer text takes the place of the one that waits.
create table telegram_outbox (
  id uuid not null,
  seq bigint generated always as identity,
  bot text not null,
  chat_id bigint not null,
  thread_id bigint,
  body jsonb not null,
  -- The same key again sends nothing.
  dedupe_key text,
  -- Names a message that will be edited.
  slot text,
  edits uuid,
  status text not null default 'queued',
  attempts integer not null default 0,
  not_before timestamptz(3) not null default now(),
  -- Of the leader that is sending it.
  epoch bigint,
  -- Nobody knows whether an earlier attempt arrived.
  is_repeat boolean not null default false,
  message_id bigint,
  task_id uuid,
  audited_at timestamptz(3),
  error text,
  created_at timestamptz(3) not null default now(),
  sent_at timestamptz(3),
  constraint telegram_outbox_pkey primary key (id),
  constraint telegram_outbox_edits_fkey foreign key (edits) references telegram_outbox (id) on delete cascade,
  constraint telegram_outbox_status_check check (status in ('queued', 'sending', 'sent', 'failed'))
);

create unique index telegram_outbox_dedupe_key on telegram_outbox (bot, dedupe_key);
create unique index telegram_outbox_slot_key on telegram_outbox (bot, chat_id, slot);
create unique index telegram_outbox_edits_key on telegram_outbox (edits) where status = 'queued';
create index telegram_outbox_open_idx on telegram_outbox (bot, chat_id, seq) where status in ('queued', 'sending');
create index telegram_outbox_audit_idx on telegram_outbox (seq) where status = 'sent' and task_id is not null and audited_at is null;
create index telegram_outbox_ended_idx on telegram_outbox (sent_at) where status in ('sent', 'failed');

-- A button's data is a random word; what it means stands here.
create table telegram_buttons (
  token text not null,
  bot text not null,
  chat_id bigint not null,
  -- Null: anybody who may talk to the bot.
  user_id bigint,
  action text not null,
  task_id uuid,
  -- The version of the task that was shown.
  if_version integer,
  slot text not null,
  expires_at timestamptz(3) not null,
  used_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  constraint telegram_buttons_pkey primary key (token)
);

create index telegram_buttons_task_idx on telegram_buttons (task_id, chat_id, created_at desc);
create index telegram_buttons_expires_idx on telegram_buttons (expires_at);

-- People who paired; those of the settings stand in the settings.
create table telegram_members (
  bot text not null,
  user_id bigint not null,
  name text not null,
  paired_by text not null,
  paired_at timestamptz(3) not null default now(),
  constraint telegram_members_pkey primary key (bot, user_id)
);

create table telegram_pairings (
  -- sha256 of the code, which nobody can read from here.
  code_hash bytea not null,
  bot text not null,
  created_by text not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null,
  used_at timestamptz(3),
  used_by bigint,
  constraint telegram_pairings_pkey primary key (code_hash)
);

-- Strangers and foreign groups: each is told once. Tries of codes are counted by the hour.
create table telegram_strangers (
  bot text not null,
  subject text not null,
  told_at timestamptz(3),
  tries integer not null default 0,
  tries_since timestamptz(3) not null default now(),
  constraint telegram_strangers_pkey primary key (bot, subject)
);

create table telegram_chats (
  bot text not null,
  chat_id bigint not null,
  -- Why nothing can be sent there any more.
  closed_because text,
  -- A group that became a supergroup got a new number.
  moved_to bigint,
  muted_until timestamptz(3),
  -- Alerts of the storm that goes on: how many messages of their own there were, and the page that collects the others.
  storm jsonb,
  constraint telegram_chats_pkey primary key (bot, chat_id)
);

-- What is to be told to the operators. The same key again is the same notice.
create table telegram_notices (
  id uuid not null,
  seq bigint generated always as identity,
  bot text not null,
  dedupe_key text,
  body jsonb not null,
  created_at timestamptz(3) not null default now(),
  placed_at timestamptz(3),
  constraint telegram_notices_pkey primary key (id)
);

create unique index telegram_notices_dedupe_key on telegram_notices (bot, dedupe_key);
create index telegram_notices_open_idx on telegram_notices (bot, seq) where placed_at is null;
create index telegram_notices_created_idx on telegram_notices (created_at);

-- Notices of one chat that belong together: repeats are counted in one message, an incident is a thread of replies to its first one.
create table telegram_groups (
  bot text not null,
  chat_id bigint not null,
  key text not null,
  -- The messages: the first of all, and the one that counts repeats.
  root_slot text not null,
  slot text not null,
  text_hash text not null,
  count integer not null,
  opened_at timestamptz(3) not null default now(),
  last_at timestamptz(3) not null default now(),
  constraint telegram_groups_pkey primary key (bot, chat_id, key)
);

create index telegram_groups_last_idx on telegram_groups (last_at);

-- One instance at a time polls, works off the inbox, sends and follows the stream. `epoch` grows with every new leader.
create table telegram_leases (
  bot text not null,
  holder text not null,
  epoch bigint not null,
  held_until timestamptz(3) not null,
  constraint telegram_leases_pkey primary key (bot)
);

-- Single values: the cursor of the task stream, which agents are known to be gone.
create table telegram_memory (
  bot text not null,
  key text not null,
  value jsonb not null,
  updated_at timestamptz(3) not null default now(),
  constraint telegram_memory_pkey primary key (bot, key)
);
