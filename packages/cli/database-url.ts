import { SetupError, systemCode } from "@signalbox/testing/setup-error.ts";
import pg from "pg";

const oldestVersion = 15;
const connectTimeoutMs = 5_000;

/** Refuses a database that the fleet could not work with; no message ever holds its password. */
export async function checkDatabase(url: string): Promise<void> {
  const place = describePlace(url);
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: 5_000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>("select current_setting('server_version_num') as version");
    const version = Math.floor(Number(rows[0]?.version) / 10_000);
    if (version < oldestVersion) {
      throw new SetupError(
        `the database of DATABASE_URL (${place}) is PostgreSQL ${version}; Signalbox needs ${oldestVersion} or newer`,
      );
    }
  } catch (error) {
    throw explainConnection(error, place);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Host, port and database of the URL for a message. */
function describePlace(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !["postgres:", "postgresql:"].includes(parsed.protocol)) {
    throw new SetupError(
      "DATABASE_URL cannot be read; write it as postgres://user:password@host:5432/database, " +
        "with special characters of the password percent-encoded, or unset it to use the embedded database",
    );
  }
  return `${parsed.host || parsed.searchParams.get("host") || "localhost"}${parsed.pathname}`;
}

const unreachable: Record<string, string> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host's name cannot be resolved",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
  ECONNRESET: "it closed the connection",
  ETIMEDOUT: "it does not answer",
  ENOENT: "there is no such socket",
};

const refused: Record<string, string> = {
  "28P01": "it refuses the user or the password",
  "28000": "it refuses this user from here",
  "3D000": "that database does not exist",
  "53300": "it has no connection left",
  "57P03": "it is still starting or already stopping",
};

function explainConnection(error: unknown, place: string): unknown {
  if (error instanceof SetupError) return error;
  const code = systemCode(error) ?? "";
  const why = unreachable[code] ?? refused[code] ?? (isTimeout(error) ? "it does not answer" : describeRest(code));
  return new SetupError(
    `cannot use the database of DATABASE_URL at ${place}: ${why}; correct DATABASE_URL, or unset it to use the embedded database`,
  );
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && /timeout/i.test(error.message);
}

/** The driver's text may hold what was in the URL, so only its code is shown. */
function describeRest(code: string): string {
  return code ? `the connection failed with ${code}` : "the server does not speak PostgreSQL's protocol as asked";
}
