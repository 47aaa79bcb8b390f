import { freshDatabase, ownCluster } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { startLogging } from "./logging.fixture.ts";

const record = (message: string) => ({ level: "info", service: "test", message });

test("while PostgreSQL is away senders are told to come again; then all goes on, the streams too", async () => {
  // It crashes, so what was answered must be in its log on disk.
  await using cluster = await ownCluster({
    settings: { synchronous_commit: "on", fsync: "on", full_page_writes: "on" },
  });
  await using database = await freshDatabase(cluster.url);
  await using logging = await startLogging({ database });
  await using follower = await logging.follow();
  await logging.post(record("before"));
  await follower.until(() => follower.messages().length === 1);

  await cluster.stop("immediate");
  const refused = await logging.post(record("away"));
  expect(refused).toMatchObject({ status: 503, body: { error: { code: "unavailable" } } });
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  expect((await logging.get("/logs")).status).toBe(503);
  expect((await logging.get("/health")).status).toBe(200);
  expect(await logging.get("/ready")).toMatchObject({ status: 503 });

  await cluster.start();
  await eventually(async () => (await logging.post(record("after"))).status === 202);
  await follower.until(() => follower.messages().includes("after"));
  expect(follower.messages().filter((message) => message === "before")).toHaveLength(1);
  await eventually(async () => (await logging.get("/ready")).status === 200);
});
