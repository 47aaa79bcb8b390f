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
create index logs_seq_idx on logs (seq);
create index logs_trace_idx on logs (trace_id) where trace_id is not null;
create index logs_correlation_idx on logs (correlation_id) where correlation_id is not null;
create index logs_task_idx on logs (task_id) where task_id is not null;

-- Makes the partitions of today, of the given number of days ahead and of the days back; those that exist stay.
create function ensure_log_partitions(days_back integer, days_ahead integer) returns integer language plpgsql volatile as $$
declare
  day date;
  made integer := 0;
begin
  -- Two loggers at once would both find the table missing.
  perform pg_advisory_xact_lock(hashtextextended('ensure_log_partitions', 7526));
  for day in
    select d::date from generate_series(
      (now() at time zone 'utc')::date - days_back, (now() at time zone 'utc')::date + days_ahead, interval '1 day') d
  loop
    if to_regclass(format('logs_%s', to_char(day, 'YYYYMMDD'))) is null then
      execute format(
        'create table %I partition of logs for values from (%L) to (%L)',
        'logs_' || to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
      made := made + 1;
    end if;
  end loop;
  return made;
end
$$;

select ensure_log_partitions(1, 3);
