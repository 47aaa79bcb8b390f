-- Log records, a partition a day (UTC) by the record's own time, so that retention drops a table instead of deleting rows.
-- `xid` stands before `seq` for the same reason as in task_events.
create sequence logs_seq cache 1;

create table logs (
  xid xid8 not null default pg_current_xact_id(),
  seq bigint not null default nextval('logs_seq'),
  id uuid not null,
  at timestamptz(3) not null,
  level smallint not null,
  service text not null,
  message text not null,
  trace_id text,
  correlation_id text,
  task_id uuid,
  data jsonb not null default '{}',
  primary key (id, at),
  constraint logs_level_check check (level between 0 and 5)
) partition by range (at);

create index logs_at_idx on logs (at desc, id desc);
create index logs_service_idx on logs (service, at desc, id desc);
-- What people look for at night is rare, so it costs next to nothing to keep it apart.
create index logs_unhappy_idx on logs (at desc, id desc) where level >= 3;
create index logs_seq_idx on logs (seq);
create index logs_trace_idx on logs (trace_id) where trace_id is not null;
create index logs_correlation_idx on logs (correlation_id) where correlation_id is not null;
create index logs_task_idx on logs (task_id) where task_id is not null;

-- What retention has dropped. A stream's cursor below `upto_seq` may have missed records, and is told so.
create table log_drops (
  day date primary key,
  upto_seq bigint not null,
  rows_estimate bigint not null,
  size_bytes bigint not null,
  dropped_at timestamptz(3) not null default now()
);

-- Makes the partition of a day, unless it exists. A table of its own that is then attached: `create table … partition of`
-- would lock the whole log against writers and readers, and wait for both.
create function ensure_log_partition(day date) returns boolean language plpgsql volatile as $$
declare
  name text := 'logs_' || to_char(day, 'YYYYMMDD');
begin
  if to_regclass(name) is not null then
    return false;
  end if;
  -- Two loggers at once would both find the table missing; whoever waited here looks again.
  perform pg_advisory_xact_lock(hashtextextended('ensure_log_partition', 7526));
  if to_regclass(name) is not null then
    return false;
  end if;
  execute format('create table %I (like logs including defaults including constraints)', name);
  execute format('alter table logs attach partition %I for values from (%L) to (%L)',
    name, to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
  return true;
end
$$;

-- Makes the partitions of today, of the given number of days ahead and of the days back; how many were missing.
create function ensure_log_partitions(days_back integer, days_ahead integer) returns integer language sql volatile as $$
  select count(*) filter (where ensure_log_partition(day::date))::integer
    from generate_series(
      (now() at time zone 'utc')::date - days_back, (now() at time zone 'utc')::date + days_ahead, interval '1 day') day
$$;

select ensure_log_partitions(1, 3);
