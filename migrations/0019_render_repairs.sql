-- The story of every failed build of a service whose owner consents to repairs: what was wrong, what was changed from what, and
-- how it went. A row is written before the first request, so that it can be told, and undone, whatever happens after.
create table render_repairs (
  id uuid primary key,
  service_id text not null,
  service_name text not null,
  -- The deploy that failed.
  deploy_id text not null,
  commit_id text not null,
  -- Which of the attempts on this service and commit it is, from 1.
  attempt integer not null,
  cause text not null,
  evidence jsonb not null,
  -- Settings before and after; null when there is nothing to change from here.
  fix_before jsonb,
  fix_after jsonb,
  state text not null,
  detail text,
  -- The deploy that shows whether it helped.
  repair_deploy_id text,
  -- The newest deploy from before it: a newer one of the API's is ours.
  deploy_before text,
  task_id uuid,
  lease_id uuid,
  lease_until timestamptz(3),
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  -- One judgement a failed deploy, however many monitors there are.
  constraint render_repairs_deploy_key unique (service_id, deploy_id),
  constraint render_repairs_state_check
    check (state in ('found', 'patching', 'deploying', 'fixed', 'reverted', 'yielded', 'reported'))
);

create index render_repairs_created_idx on render_repairs (created_at desc, id desc);
create index render_repairs_service_idx on render_repairs (service_id, created_at desc);
