import { buildDice } from "@signalbox/testing/dice.ts";

/** What must never be read anywhere but where it was put. */
export type Secrets = {
  env: Record<string, string>;
  credentials: Record<"person" | "service", Record<string, string>>;
  databasePassword: string;
  /** A secret member of a payload. */
  token: string;
  /** Logged by a careless program under a telling key. */
  loggedPassword: string;
  /** Names of the secrets that stand in a text. */
  findIn(text: string): string[];
};

export function buildSecrets(seed: number): Secrets {
  const dice = buildDice(seed, "secrets");
  const word = (name: string) =>
    `canary-${name}-${Array.from({ length: 16 }, () => dice.between(0, 35).toString(36)).join("")}`;
  const [pass, internalKey, sealingKey, databasePassword, token, loggedPassword] = [
    "pass",
    "internal",
    "sealing",
    "database",
    "token",
    "logged",
  ].map(word) as [string, string, string, string, string, string];
  const basic = Buffer.from(`operator:${pass}`).toString("base64");
  const all = { pass, internalKey, sealingKey, databasePassword, token, loggedPassword, basic };
  return {
    env: {
      BASIC_AUTH_USER: "operator",
      BASIC_AUTH_PASS: pass,
      INTERNAL_KEY: internalKey,
      SECRETS_KEY: sealingKey,
      LOG_FORMAT: "json",
      LOG_LEVEL: "info",
    },
    credentials: { person: { authorization: `Basic ${basic}` }, service: { "x-internal-key": internalKey } },
    databasePassword,
    token,
    loggedPassword,
    // All but one begin alike, so most texts need no second look.
    findIn: (text) =>
      text.includes("canary-") || text.includes(basic)
        ? Object.entries(all).flatMap(([name, value]) => (text.includes(value) ? [name] : []))
        : [],
  };
}
