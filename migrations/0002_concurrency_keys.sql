-- Takes the locks of all keys that a transaction will touch, in one order for everybody (by hash), so that two of them
-- can never wait for each other. Always before the first row lock.
create function key_lock(keys text[]) returns void language plpgsql volatile as $$
declare
  hash bigint;
begin
  for hash in
    select distinct hashtextextended(k, 7526) from unnest(keys) k where k is not null order by 1
  loop
    perform pg_advisory_xact_lock(hash);
  end loop;
end
$$;

-- Gives a head to each of these keys that has none: the oldest task of its line. Volatile, so its query takes a snapshot of
-- its own after the lock was waited for and sees what the calling statement has just written: inside one plain statement
-- the promotion would be lost when an insert and an end meet. It asks the clock, not now(): that is when the caller began,
-- maybe before the row was made that it waited for.
create function promote_next(keys text[]) returns integer language plpgsql volatile as $$
declare
  promoted integer;
begin
  if keys is null then
    return 0;
  end if;
  update tasks
     set line = 1, ready = (status = 'queued' and run_at <= clock_timestamp())
   where id in (
     select (select t.id from tasks t where t.concurrency_key = k and t.line = 2 order by t.seq limit 1)
       from (select distinct unnest(keys) as k) distinct_keys
      where k is not null
        and not exists (select 1 from tasks head where head.concurrency_key = k and head.line = 1)
   );
  get diagnostics promoted = row_count;
  return promoted;
end
$$;

-- A task with a key draws its number again under the lock, so that numbers of one key become visible in their order.
create function tasks_join_line() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(new.concurrency_key, 7526));
  new.seq := nextval('tasks_seq');
  if new.status = 'queued' and new.run_at > now() then
    new.line := null;
    new.ready := false;
  elsif exists (select 1 from tasks where concurrency_key = new.concurrency_key and line = 1) then
    new.line := 2;
    new.ready := false;
  else
    new.line := 1;
    new.ready := new.status = 'queued';
  end if;
  return new;
end
$$;

create trigger tasks_join_line before insert on tasks
  for each row when (new.concurrency_key is not null) execute function tasks_join_line();

-- Puts tasks with a key whose time has come into their lines. A task that is older than an unstarted head takes its place;
-- one that has started is never overtaken. The caller holds the keys' locks.
create function join_lines(ids uuid[]) returns integer language plpgsql volatile as $$
declare
  late record;
  head record;
  joined integer := 0;
begin
  for late in
    select id, concurrency_key, seq, status from tasks
     where id = any (ids) and concurrency_key is not null and line is null and not ready
       and status in ('queued', 'waiting') and run_at <= now()
     order by concurrency_key, seq
  loop
    select id, seq, attempt, ready into head
      from tasks where concurrency_key = late.concurrency_key and line = 1 for update;
    if not found then
      update tasks set line = 1, ready = (status = 'queued') where id = late.id;
    elsif head.ready and head.attempt = 0 and late.seq < head.seq and late.status = 'queued' then
      update tasks set line = 2, ready = false where id = head.id;
      update tasks set line = 1, ready = true where id = late.id;
    else
      update tasks set line = 2 where id = late.id;
    end if;
    joined := joined + 1;
  end loop;
  return joined;
end
$$;
