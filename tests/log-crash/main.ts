import { parseArgs } from "node:util";
import { freshDatabase, ownCluster } from "@signalbox/testing/database.ts";
import { crashLogging, services } from "./crash.ts";

/*
 * `node tests/log-crash/main.ts [--records 100000] [--kills 5]`: the test beside it, as large as is wanted, on a PostgreSQL of its own
 * that keeps what it says on the disk. The exit code is 1 when a record is missing or there twice.
 */

const { values } = parseArgs({
  options: { records: { type: "string", default: "100000" }, kills: { type: "string", default: "5" } },
});
const each = Math.ceil(Number(values.records) / services.length);
const say = (line: string) => void process.stdout.write(`${line}\n`);

await using cluster = await ownCluster({ isDurable: true });
await using database = await freshDatabase(cluster.url);
const verdict = await crashLogging({ database, records: each * services.length, kills: Number(values.kills), say });
for (const { service, rows, different, isInOrder } of verdict.stored) {
  say(`${service}: ${rows} of ${each} records stored, ${different} different, ${isInOrder ? "in" : "out of"} order`);
}
say(`${verdict.dropped} dropped, ${verdict.leftOnDisk.length} files left on disk, ${verdict.seconds.toFixed(1)} s`);
const isKept = verdict.stored.every(
  ({ rows, different, isInOrder }) => rows === each && different === each && isInOrder,
);
if (!isKept || verdict.stored.length < services.length || verdict.dropped + verdict.leftOnDisk.length > 0) {
  process.exitCode = 1;
}
