-- What of the differences a plan was made for; null: all of them.
alter table render_plans add column only_these jsonb;
