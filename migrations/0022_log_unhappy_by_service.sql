-- "The newest errors of one service" walked all records of the service, or all that went wrong anywhere, until it had a page of them:
-- a second for a service that is busy and well. Both indexes hold few rows, so they cost few.
--
-- On the parent only, so that no writer waits: days that are made from now on have them, and so do those that are small. A day that
-- is large already stays as it is until retention drops it.
create index logs_service_warn_idx on only logs (service, at desc, id desc) where level >= 3;
create index logs_service_error_idx on only logs (service, at desc, id desc) where level >= 4;

do $$
declare
  small constant bigint := 64 * 1024 * 1024;
  part regclass;
  level integer;
  name text;
begin
  for part in select inhrelid::regclass from pg_inherits where inhparent = 'logs'::regclass loop
    continue when pg_relation_size(part) > small;
    for level, name in values (3, 'warn'), (4, 'error') loop
      execute format('create index %I on %s (service, at desc, id desc) where level >= %s', part || '_service_' || name, part, level);
      execute format('alter index %I attach partition %I', 'logs_service_' || name || '_idx', part || '_service_' || name);
    end loop;
  end loop;
end
$$;
