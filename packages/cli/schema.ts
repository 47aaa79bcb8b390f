import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { listPending } from "@signalbox/testing/schema-state.ts";
import { messageOf, SetupError } from "@signalbox/testing/setup-error.ts";
import { noRoom, tellsNoRoom } from "./home.ts";

const run = promisify(execFile);
const program = join(import.meta.dirname, "migrate.ts");

/** What to do about a database that lets nobody change it; ours does. */
const remedies: [RegExp, string][] = [
  [/permission denied/, "the user of DATABASE_URL needs the right to create in that database: make it the owner"],
  [/read-only transaction/, "DATABASE_URL names a database that can only be read: name the one that can be written"],
  [/already exists/, "DATABASE_URL names a database that others use: give Signalbox an empty one of its own"],
];

/** Brings the fleet's database to the newest schema; how many migrations that took. */
export async function bringSchema(url: string, home: string): Promise<number> {
  try {
    const pending = await listPending(url);
    if (pending.length === 0) return 0;
    await run(process.execPath, [program], { env: { PATH: process.env.PATH, DATABASE_URL: url } });
    return pending.length;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() || messageOf(error);
    if (tellsNoRoom(said)) throw noRoom(home);
    const remedy = remedies.find(([pattern]) => pattern.test(said))?.[1];
    throw new SetupError(`${said.split("\n").at(-1)}; nothing of it was kept${remedy ? `; ${remedy}` : ""}`);
  }
}
