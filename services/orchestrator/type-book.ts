/** What one agent registered about one type. */
export type TypeRow = {
  type: string;
  agent: string;
  description: string | null;
  payloadSchema: Record<string, unknown> | null;
  timeoutMs: number | null;
  priority: number;
  approvalRequired: boolean;
};

/** What counts about one type: who says it, and what is demanded of a payload. */
export type TypeEntry = {
  type: string;
  description: string | null;
  payloadSchema: Record<string, unknown> | null;
  timeoutMs: number | null;
  approvalRequired: boolean;
  agents: string[];
  live: boolean;
};

/**
 * Joins what several agents registered about one type. The word of a live agent counts before that of one that is away,
 * then the higher priority. An approval that anybody demands is demanded.
 */
export function toTypeEntries(rows: readonly TypeRow[], isLive: (agent: string, type: string) => boolean): TypeEntry[] {
  const byType = Map.groupBy(rows, (row) => row.type);
  return [...byType.values()].map((group) => {
    const ranked = group.toSorted(
      (a, b) => Number(isLive(b.agent, b.type)) - Number(isLive(a.agent, a.type)) || b.priority - a.priority,
    );
    const [first] = ranked;
    return {
      type: first?.type ?? "",
      description: first?.description ?? null,
      payloadSchema: first?.payloadSchema ?? null,
      timeoutMs: first?.timeoutMs ?? null,
      approvalRequired: group.some((row) => row.approvalRequired),
      agents: ranked.map((row) => row.agent),
      live: first !== undefined && isLive(first.agent, first.type),
    };
  });
}
