import { migrate } from "@signalbox/testing/migrate.ts";
import { messageOf } from "@signalbox/testing/setup-error.ts";
import { refuseHalfRestored } from "./backup/half-restored.ts";
import { checkDatabase } from "./database-url.ts";

/*
 * Brings the database of DATABASE_URL to the newest schema; run before new code starts. `start` runs it as a process of its
 * own too, so that what it needs does not stay in the supervisor's memory. Its last line on stderr says what went wrong.
 */
try {
  const url = process.env.DATABASE_URL;
  if (!url) throw new Error("DATABASE_URL is not set; set it to the database that is to be brought up to date");
  await checkDatabase(url);
  await refuseHalfRestored(url);
  const applied = await migrate({ url, onProgress: (line) => process.stdout.write(`${line}\n`) });
  process.stdout.write(
    `${applied.length === 0 ? "the schema is up to date" : `${applied.length} migrations applied`}\n`,
  );
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
