/*
 * What a user of a library keeps to know later what happened: a row of each task and a row of each event, as Signalbox does
 * by itself. The tables have what such a program needs: a key each, and an index to find the events of a task.
 */

export const recordSchema = `
  create schema if not exists record;
  create table if not exists record.tasks (
    id uuid primary key,
    type text not null,
    status text not null default 'queued',
    payload jsonb not null,
    result jsonb,
    created_at timestamptz(3) not null default clock_timestamp(),
    started_at timestamptz(3),
    finished_at timestamptz(3)
  );
  create table if not exists record.task_events (
    seq bigint generated always as identity primary key,
    task_id uuid not null,
    kind text not null,
    data jsonb not null default '{}',
    at timestamptz(3) not null default clock_timestamp()
  );
  create index if not exists task_events_task_idx on record.task_events (task_id);
`;

/** Milliseconds from creation to end, of tasks that ended since. */
export const recordLatencies = `
  select extract(epoch from finished_at - created_at) * 1000 as ms from record.tasks where finished_at > $1`;
