-- When a key was used in the last minute, never more often than its limit allows. Counts by the clock's minute let twice as many
-- pass around the turn of one. `rate_limits` stays for one version: while a fleet is deployed, older code still counts in it.
create table recent_uses (
  key text primary key,
  at timestamptz[] not null
);
