import { setTimeout as pause } from "node:timers/promises";
import { isTransient, unavailable } from "@signalbox/common/errors.ts";
import { sqlState } from "@signalbox/common/sql-state.ts";
import type { NewLog } from "../record.ts";
import { judgeFailure } from "../storage-failure.ts";
import type { Store } from "../store.ts";

export type RecordStore = Pick<Store, "insertLogs" | "insertLogsAnywhere" | "ensurePartition">;

/** Null where the record is stored, whether now or before; else why it cannot be. */
export type Outcome = string | null;

type Insert = (rows: readonly NewLog[]) => Promise<number>;
type OnStored = (given: number, stored: number) => void;

const attemptsMax = 5;

/**
 * Stores what can be stored; an outcome for each record, in their order. A statement that is refused because of one record
 * is cut in halves until that record stands alone.
 *
 * @throws ApiError 503 when the database is away; some records may be stored by then, and a resend finds them
 */
export async function storeRecords(
  store: RecordStore,
  records: readonly NewLog[],
  onStored: OnStored,
): Promise<Outcome[]> {
  const placed = records.filter(({ isAnywhere }) => !isAnywhere);
  const anywhere = [...new Map(records.filter(({ isAnywhere }) => isAnywhere).map((one) => [one.id, one])).values()];
  const refused = new Map<string, string>();
  for (const [rows, insert] of [
    [placed, store.insertLogs],
    [anywhere, store.insertLogsAnywhere],
  ] as const) {
    const outcomes = await new Insertion(store, insert, onStored).run(rows);
    for (const [at, outcome] of outcomes.entries()) if (outcome !== null) refused.set(rows[at]?.id ?? "", outcome);
  }
  return records.map(({ id }) => (refused.size === 0 ? null : (refused.get(id) ?? null)));
}

class Insertion {
  readonly #store: RecordStore;
  readonly #insert: Insert;
  readonly #onStored: OnStored;

  constructor(store: RecordStore, insert: Insert, onStored: OnStored) {
    this.#store = store;
    this.#insert = insert;
    this.#onStored = onStored;
  }

  async run(rows: readonly NewLog[], attempt = 1): Promise<Outcome[]> {
    if (rows.length === 0) return [];
    try {
      this.#onStored(rows.length, await this.#insert(rows));
      return rows.map(() => null);
    } catch (error) {
      return await this.#recover(error, rows, attempt);
    }
  }

  async #recover(error: unknown, rows: readonly NewLog[], attempt: number): Promise<Outcome[]> {
    const state = sqlState(error);
    const { constraint } = error as { constraint?: string };
    const failure = judgeFailure({ state, constraint, isTransient: isTransient(error) });
    if (failure === "bug") throw error;
    if (failure === "data") return rows.length > 1 ? this.#halve(rows) : [`cannot be stored (SQLSTATE ${state})`];
    if (failure === "away" || attempt === attemptsMax) throw away(error);
    if (failure === "no_partition") await this.#makePartitions(rows);
    else await pause(10 + Math.random() * 40);
    return this.run(rows, attempt + 1);
  }

  async #halve(rows: readonly NewLog[]): Promise<Outcome[]> {
    const middle = Math.ceil(rows.length / 2);
    return [...(await this.run(rows.slice(0, middle))), ...(await this.run(rows.slice(middle)))];
  }

  async #makePartitions(rows: readonly NewLog[]): Promise<void> {
    const days = new Set(rows.map(({ atMs }) => new Date(atMs).toISOString().slice(0, 10)));
    try {
      for (const day of [...days].sort()) await this.#store.ensurePartition(day);
    } catch (error) {
      throw isTransient(error) ? away(error) : error;
    }
  }
}

function away(cause: unknown) {
  return unavailable(
    "PostgreSQL is away or too busy; send the same records again, their ids keep them from doubling.",
    1,
    cause,
  );
}
