import { type Part, toTaskPart } from "../frame.ts";
import type { LedgerEntry } from "../store/rows.ts";
import { buildGate } from "./gate.ts";

export type LedgerRange = { after: number; upTo: number; limit: number; familyOf?: string; taskId?: string };
export type ReadParts = (range: LedgerRange) => Promise<Part[]>;

/** Fewer than the connections to PostgreSQL, so that those who write do not wait behind those who look back. */
const readsAtOnce = 2;

/**
 * Reads for clients what they have missed. When an orchestrator stops, all its clients come to another at once, and most with
 * the same cursor: what several want at the same time is read and serialised once.
 */
export function buildCatchUp(readLedger: (range: LedgerRange) => Promise<LedgerEntry[]>): ReadParts {
  const gate = buildGate(readsAtOnce);
  const underWay = new Map<string, Promise<Part[]>>();
  return (range) => {
    const key = JSON.stringify(range);
    const known = underWay.get(key);
    if (known) return known;
    const reading = gate(async () => (await readLedger(range)).map(toTaskPart)).finally(() => underWay.delete(key));
    underWay.set(key, reading);
    return reading;
  };
}
