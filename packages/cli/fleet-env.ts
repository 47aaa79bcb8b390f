import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { explainHome, findText, writePrivateFile } from "./home.ts";

export type Env = Record<string, string | undefined>;

export type FleetEnv = {
  /** Every setting that is known, whatever its source. */
  values: Record<string, string>;
  /** Where a setting comes from, for messages. */
  sourceOf(key: string): "environment" | ".env" | "home" | null;
};

/** What a new fleet draws for itself. */
const generated: Record<string, () => string> = {
  BASIC_AUTH_USER: () => "operator",
  BASIC_AUTH_PASS: () => randomBytes(18).toString("base64url"),
  INTERNAL_KEY: () => randomBytes(32).toString("base64url"),
  // 32 bytes in standard base64: the key of AES-256.
  SECRETS_KEY: () => randomBytes(32).toString("base64"),
  DATABASE_PASSWORD: () => randomBytes(24).toString("base64url"),
  DATABASE_ADMIN_PASSWORD: () => randomBytes(24).toString("base64url"),
};

/** Belong to the folder's own database, whatever is set elsewhere. */
const ownedByHome = ["DATABASE_PASSWORD", "DATABASE_ADMIN_PASSWORD"];

const heading =
  "# Made by the first start of this fleet. An environment variable or the repository's .env wins over these lines.\n";

/** Environment over `.env` over `<home>/env`; an empty value counts as not set. */
export async function loadFleetEnv(home: string, dotEnv: Env, environment: Env): Promise<FleetEnv> {
  const own = await ensureHomeEnv(home);
  const layers = [
    { source: "environment", values: withoutEmpty(environment, ownedByHome) },
    { source: ".env", values: withoutEmpty(dotEnv, ownedByHome) },
    { source: "home", values: own },
  ] as const;
  return {
    values: { ...layers[2].values, ...layers[1].values, ...layers[0].values },
    sourceOf: (key) => layers.find(({ values }) => values[key] !== undefined)?.source ?? null,
  };
}

/** The settings of an env file, none when there is no such file. */
export async function readEnvFile(path: string): Promise<Env> {
  return parseEnv((await findText(path)) ?? "");
}

/** Reads `<home>/env` and adds what it lacks, so that a setting of a later release appears by itself. */
async function ensureHomeEnv(home: string): Promise<Record<string, string>> {
  const path = join(home, "env");
  try {
    const text = (await findText(path)) ?? heading;
    const values = withoutEmpty(parseEnv(text), []);
    const missing = Object.keys(generated).filter((key) => values[key] === undefined);
    if (missing.length === 0) return values;
    for (const key of missing) values[key] = generated[key]?.() ?? "";
    const lines = missing.map((key) => `${key}=${values[key]}\n`).join("");
    await writePrivateFile(path, (text.endsWith("\n") ? text : `${text}\n`) + lines);
    return values;
  } catch (error) {
    throw explainHome(home, error);
  }
}

function withoutEmpty(env: Env, except: string[]): Record<string, string> {
  const entries = Object.entries(env).filter(([key, value]) => value && !except.includes(key));
  return Object.fromEntries(entries) as Record<string, string>;
}

/** The same settings with others on top, whatever their source; an empty one is not set at all. */
export function overrule(env: FleetEnv, settings: Record<string, string>): FleetEnv {
  const values = withoutEmpty({ ...env.values, ...settings }, []);
  return { ...env, values };
}
