-- Which notices other channels than Telegram (Slack, e-mail) have been told; what was refused for good says why.
create table telegram_told (
  notice_id uuid not null,
  channel text not null,
  error text,
  told_at timestamptz(3) not null default now(),
  constraint telegram_told_pkey primary key (channel, notice_id),
  constraint telegram_told_notice_fkey foreign key (notice_id) references telegram_notices (id) on delete cascade
);

create index telegram_told_notice_idx on telegram_told (notice_id);
