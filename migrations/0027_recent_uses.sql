-- How often a key was used in each second of the last minute. Counts by the clock's minute let twice as many pass around the turn
-- of one. `rate_limits` stays for one version: while a fleet is deployed, older code still counts in it.
create table recent_uses (
  key text not null,
  second timestamptz(0) not null,
  used integer not null,
  primary key (key, second)
);
