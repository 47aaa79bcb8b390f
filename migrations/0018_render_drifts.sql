-- Where Render differs from the blueprint, since when, and the apply that was proposed for it. Values of variables are masks.
create table render_drifts (
  account text not null,
  resource text not null,
  field text not null,
  kind text not null,
  expected jsonb not null,
  actual jsonb not null,
  since timestamptz(3) not null default now(),
  seen_at timestamptz(3) not null default now(),
  task_id uuid,
  constraint render_drifts_pkey primary key (account, resource, field),
  constraint render_drifts_kind_check check (kind in ('missing', 'changed', 'extra'))
);
