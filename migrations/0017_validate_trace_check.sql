-- By itself, because it reads the whole table, and holds up no writer while it does.
alter table tasks validate constraint tasks_trace_id_check;
