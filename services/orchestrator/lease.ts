/** How long an orchestrator may be silent before another takes up its runs, in ms; it renews at a third of it. */
export const leaseMs = 30_000;

/** Without a heartbeat for this long an agent is stale and gets nothing, in ms. */
export const staleMs = 30_000;
