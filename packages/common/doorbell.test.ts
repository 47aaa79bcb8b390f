import { freshDatabase } from "@signalbox/testing/database.ts";
import { describeDoorbell, type Exchange } from "./doorbell.fixture.ts";
import { buildDoorbell } from "./doorbell.ts";
import { buildPool } from "./sql.ts";

const listening =
  "select pid from pg_stat_activity where datname = current_database() and application_name like '%listen'";

async function openDatabase(): Promise<Exchange> {
  const database = await freshDatabase();
  return {
    build(self) {
      const errors: unknown[] = [];
      const pool = buildPool({ url: database.url, name: self, max: 2, onError: () => undefined });
      const onError = (error: unknown) => errors.push(error);
      const bell = buildDoorbell({ pool, url: database.url, name: "bell test", self, onError });
      return { bell, errors, end: () => pool.end() };
    },
    async cut() {
      await database.pool.query(`select pg_terminate_backend(pid) from (${listening}) l`);
    },
    listening: async () => (await database.pool.query(listening)).rowCount ?? 0,
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

describeDoorbell("over PostgreSQL", true, openDatabase);
