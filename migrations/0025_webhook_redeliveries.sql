-- What GitHub was asked to send again: the only thing that an orchestrator changes at GitHub. Written before it is asked, so that
-- a process that dies in between leaves its trace too.
create table webhook_redeliveries (
  id uuid primary key,
  hook text not null,
  -- GitHub's own, of the delivery and of the attempt that failed.
  delivery_id text not null,
  attempt_id text not null,
  orchestrator text not null,
  asked_at timestamptz(3) not null default clock_timestamp(),
  -- Null until GitHub has said yes.
  accepted_at timestamptz(3)
);
