import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { finish, writeDump } from "./backup-file.ts";
import { dumpDatabase } from "./dump-database.ts";
import { findToolVersion, pgDump } from "./pg-tools.ts";
import { type BackupFormat, planForgetting, toBackupName } from "./retention.ts";

export type Backup = { file: string; format: BackupFormat; sizeBytes: number; forgotten: string[] };

/**
 * Writes a backup of a database into a folder, and lets old ones there go.
 *
 * @param wish.format `auto`: pg_dump's, where a pg_dump is that knows this server, else our own
 */
export async function makeBackup(wish: {
  url: string;
  folder: string;
  format: BackupFormat | "auto";
  now: number;
}): Promise<Backup> {
  const { url, folder, now } = wish;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const format = wish.format === "auto" ? await chooseFormat(url) : wish.format;
  const file = join(folder, toBackupName(now, format));
  if (format === "pg") {
    const unfinished = `${file}.${process.pid}.part`;
    await pgDump(url, unfinished).catch(async (error: unknown) => {
      await rm(unfinished, { force: true });
      throw error;
    });
    await finish(unfinished, file);
  } else await writeDump(file, dumpDatabase(url));
  const forgotten = planForgetting(await readdir(folder), now);
  for (const name of forgotten) await rm(join(folder, name), { force: true });
  return { file, format, sizeBytes: (await stat(file)).size, forgotten };
}

/** An older pg_dump refuses a newer server. */
async function chooseFormat(url: string): Promise<BackupFormat> {
  const tool = await findToolVersion("pg_dump");
  return tool !== null && tool >= (await findServerVersion(url)) ? "pg" : "logical";
}

async function findServerVersion(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>("select current_setting('server_version_num') as version");
    return Math.floor(Number(rows[0]?.version) / 10_000);
  } finally {
    await client.end();
  }
}
