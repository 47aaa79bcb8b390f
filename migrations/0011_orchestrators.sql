-- Which orchestrators live: they share out the slots of agents among them. A row is renewed every few seconds.
create table orchestrators (
  owner text primary key check (length(owner) <= 53),
  seen_at timestamptz not null default now()
);
