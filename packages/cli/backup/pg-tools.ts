import { spawn } from "node:child_process";
import { SetupError } from "@signalbox/testing/setup-error.ts";

/** The major version of a tool of PostgreSQL; null when it is not there. */
export async function findToolVersion(tool: "pg_dump" | "pg_restore"): Promise<number | null> {
  const { code, output } = await run(tool, ["--version"], {}).catch(() => ({ code: 1, output: "" }));
  const [, major] = /\(PostgreSQL\) (\d+)/.exec(output) ?? [];
  return code === 0 && major !== undefined ? Number(major) : null;
}

/** Writes a dump in pg_dump's own format, which any PostgreSQL tool can read. @throws SetupError */
export async function pgDump(url: string, path: string): Promise<void> {
  await carryOut("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", `--file=${path}`], url);
}

/** Into an empty database, all or nothing. @throws SetupError */
export async function pgRestore(url: string, path: string): Promise<void> {
  const database = decodeURIComponent(new URL(url).pathname.slice(1));
  const options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", `--dbname=${database}`];
  await carryOut("pg_restore", [...options, path], url);
}

async function carryOut(tool: string, args: string[], url: string): Promise<void> {
  const { code, output } = await run(tool, args, toVariables(url));
  if (code !== 0) throw new SetupError(`${tool} failed: ${output.trim().split("\n").at(-1) ?? `exit code ${code}`}`);
}

/** By the environment and not as arguments: those can be read by everybody on the machine. */
function toVariables(url: string): Record<string, string> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const sslmode = searchParams.get("sslmode");
  return {
    PGHOST: decodeURIComponent(hostname) || (searchParams.get("host") ?? "localhost"),
    PGPORT: port || "5432",
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    ...(sslmode !== null && { PGSSLMODE: sslmode }),
  };
}

function run(tool: string, args: string[], env: Record<string, string>): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: "C", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (output += String(part)));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
