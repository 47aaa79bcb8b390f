import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { listPending } from "@signalbox/testing/schema-state.ts";
import { messageOf, SetupError } from "@signalbox/testing/setup-error.ts";
import { noRoom } from "./home.ts";

const run = promisify(execFile);
const program = join(import.meta.dirname, "migrate.ts");

/** Brings the fleet's database to the newest schema; how many migrations that took. */
export async function bringSchema(url: string, home: string): Promise<number> {
  const pending = await listPending(url);
  if (pending.length === 0) return 0;
  try {
    await run(process.execPath, [program], { env: { PATH: process.env.PATH, DATABASE_URL: url } });
    return pending.length;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() || messageOf(error);
    if (/No space left on device/.test(said)) throw noRoom(home);
    throw new SetupError(`${said.split("\n").at(-1)}; nothing of it was kept`);
  }
}
