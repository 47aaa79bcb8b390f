/** The store alone on a database of its own, with tasks made and claimed by hand; for tests of its statements. */
import { randomBytes } from "node:crypto";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { buildPool, type Queryable } from "@signalbox/common/sql.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { type NewTask, toNewTask } from "./new-task.ts";
import { insertTask } from "./store/create-task.ts";
import type { Finish, Outcome } from "./store/finish-attempts.ts";
import type { Claimed } from "./store/rows.ts";
import { buildStore } from "./store.ts";

export const lease = { owner: "tester", ms: 30_000 };

const type = {
  type: "work",
  description: null,
  payloadSchema: null,
  timeoutMs: null,
  approvalRequired: false,
  agents: ["agent"],
  live: true,
};
const caller = { actor: "person:tester", isPerson: true, traceId: "1".repeat(32), correlationId: null };

export function newTask(members: Partial<NewTask>): NewTask {
  const made = toNewTask(uuidv7(), { type: "work" }, type, caller);
  const traceId = randomBytes(16).toString("hex");
  return { ...made, traceId, raw: null, secrets: null, idempotency: null, ...members };
}

export async function openStore(clusterUrl?: string, max = 20) {
  const database = await freshDatabase(clusterUrl);
  const pool = buildPool({ url: database.url, name: "store test", max, avoidsScans: true, onError: () => undefined });
  const store = buildStore(pool);

  async function insert(members: Partial<NewTask> = {}, db: Queryable = pool): Promise<Task> {
    const task = await insertTask(db, newTask(members));
    if (task === null) throw new Error("the task was not stored");
    return task;
  }

  return {
    ...database,
    pool,
    store,
    insert,
    /** Claims up to that many tasks of a type, best first. */
    claim(count: number, type = "work"): Promise<Claimed[]> {
      const slots = Array.from({ length: count }, () => ({ type, agent: "agent", instance: "agent-1" }));
      return store.claimTasks(slots, lease);
    },
    /** Nothing is left in a table that somebody clears; `ring` asks for the next look. */
    async cleared(table: string, ring: () => void): Promise<void> {
      const isEmpty = async () => {
        ring();
        return (await database.pool.query(`select from ${table} limit 1`)).rows.length === 0;
      };
      await eventually(isEmpty, { what: `the end of ${table}` });
    },
    /** Place in line and readiness of each task of a key, in order of creation. */
    async line(key: string): Promise<[number | null, boolean][]> {
      const { rows } = await database.pool.query(
        "select line, ready from tasks where concurrency_key = $1 order by seq",
        [key],
      );
      return rows.map((row) => [row.line, row.ready]);
    },
    async [Symbol.asyncDispose]() {
      await pool.end();
      await database[Symbol.asyncDispose]();
    },
  };
}

export type OpenStore = Awaited<ReturnType<typeof openStore>>;

export function finishOf(claimed: Claimed, outcome: Outcome = { kind: "complete", result: null }): Finish {
  const { concurrencyKey } = claimed.task;
  return { lease: claimed.lease, outcome, actor: "agent:agent", concurrencyKey, expired: false };
}
