-- Instances come and go under new names, and every orchestrator reads those that live every few seconds: the dead must cost it nothing.
create index agent_heartbeats_seen_idx on agent_heartbeats (last_seen_at);
