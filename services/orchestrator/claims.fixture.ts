/** Claims alone, on whatever database it is told: a program that the benchmark calls. Each claim is taken back. */
import { buildPool, transaction } from "@signalbox/common/sql.ts";
import { answerCalls } from "@signalbox/testing/calls.ts";
import { claimTasks } from "./store/claim-tasks.ts";

const lease = { owner: "bench", ms: 30_000 };

/** Thrown to roll back what was measured. */
class Undone extends Error {}

/**
 * Milliseconds of each of some claims, one after the other.
 *
 * @param types share the slots evenly
 */
async function measureClaims(url: string, types: readonly string[], of: { slots: number; times: number }) {
  const bounds = { max: 1, statementTimeoutMs: 60_000, avoidsScans: true };
  const pool = buildPool({ url, name: "claims", ...bounds, onError: () => undefined });
  const slots = Array.from({ length: of.slots }, (_, at) => {
    const type = types[at % types.length] ?? "";
    return { type, agent: "bench", instance: "bench-1" };
  });
  const taken: number[] = [];
  try {
    for (let time = 0; time < of.times; time++) taken.push(await measureOne());
    return taken;
  } finally {
    await pool.end();
  }

  async function measureOne(): Promise<number> {
    let ms = Number.NaN;
    const undone = transaction(pool, async (db) => {
      const startedAt = performance.now();
      const claimed = await claimTasks(db, slots, lease);
      ms = performance.now() - startedAt;
      if (claimed.length !== slots.length) throw new Error(`${claimed.length} of ${slots.length} slots were filled`);
      throw new Undone();
    });
    await undone.catch((error: unknown) => {
      if (!(error instanceof Undone)) throw error;
    });
    return ms;
  }
}

answerCalls({ measureClaims }, async () => undefined);
