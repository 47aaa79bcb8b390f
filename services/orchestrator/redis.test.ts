import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { findFreePort } from "@signalbox/testing/free-port.ts";
import { redisProgram, redisTitle, startRedis } from "@signalbox/testing/redis-server.ts";
import { expect, test } from "vitest";
import { type Orchestrator, startOrchestrator } from "./orchestrator.fixture.ts";
import { openStream } from "./stream-client.fixture.ts";

const fact = test.runIf(redisProgram !== null);
const runAt = "2100-01-01T00:00:00Z";

type Client = ReturnType<typeof openStream>;

/** Each task after the frame of the one before, that is right after a poll: without a ring each would wait for the next, a second. */
async function passOn(from: Orchestrator, to: Client, count: number): Promise<number> {
  const startedAt = performance.now();
  for (let at = 0; at < count; at++) {
    const { id } = await from.post({ type: "work", runAt });
    await eventually(() => to.shown().some((frame) => frame.startsWith(id)), { everyMs: 2, what: "the frame" });
  }
  return performance.now() - startedAt;
}

fact(
  `${redisTitle}: the frames of one orchestrator arrive at the clients of another without waiting for a poll`,
  async () => {
    await using database = await freshDatabase();
    await using redis = await startRedis();
    const env = { REDIS_URL: redis.url };
    await using one = await startOrchestrator({ database, env });
    await using two = await startOrchestrator({ database, env });
    await one.register({ url: "http://127.0.0.1:9" }, [{}]);
    using client = openStream(two);
    await client.hello();
    expect(await passOn(one, client, 10)).toBeLessThan(5_000);
    const listeners =
      "select 1 from pg_stat_activity where datname = current_database() and application_name like '%listen'";
    expect((await database.pool.query(listeners)).rowCount).toBe(0);
    // Away: slower, but complete and in order. Back: quick again.
    await redis.stop();
    await passOn(one, client, 2);
    await redis.start();
    await eventually(async () => (await passOn(one, client, 3)) < 1_500, { timeoutMs: 20_000, what: "quick frames" });
    const { rows } = await database.pool.query("select task_id, version, kind from task_events order by seq");
    expect(client.shown()).toEqual(rows.map((row) => `${row.task_id} ${row.version} ${row.kind}`));
  },
);

test("an orchestrator whose Redis is not there starts, serves and stops", async () => {
  await using box = await startOrchestrator({ env: { REDIS_URL: `redis://127.0.0.1:${await findFreePort()}` } });
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  expect((await box.post({ type: "work", runAt })).status).toBe("queued");
  expect((await box.call("/ready")).status).toBe(200);
  await box.stop();
});
