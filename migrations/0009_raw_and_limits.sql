-- `raw` is what a chat or a hook sent originally: it reaches the agent and nobody else, so no list, frame or event reads it.
-- `secrets` holds the members of a payload that its schema marks write-only, encrypted one by one under their JSON Pointers; the
-- payload shows `[redacted]` in their places.
alter table tasks add column raw jsonb, add column secrets jsonb;

-- How many submissions a key has made in a minute of the database's clock.
create table rate_limits (
  key text not null,
  minute timestamptz(0) not null,
  used integer not null,
  primary key (key, minute)
);
