import { SetupError } from "@signalbox/testing/setup-error.ts";
import pg from "pg";

/** Where a restore keeps what was there before, until the backup is in. While it exists, `public` holds half of a restore. */
export const asideSchema = "signalbox_before_restore";

/** @throws SetupError when a restore was cut off: a fleet on half of it would look as if it had forgotten the rest */
export async function refuseHalfRestored(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query("select to_regnamespace($1) as found", [asideSchema]);
    if (rows[0]?.found === null) return;
  } finally {
    await client.end();
  }
  throw new SetupError(
    "a restore of this database was cut off; run it again (signalbox restore <file> --replace). What was there before is kept until one succeeds",
  );
}
