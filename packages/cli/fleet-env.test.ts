import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";
import { loadFleetEnv, readEnvFile } from "./fleet-env.ts";

test.concurrent("a first start draws the secrets and keeps them for its owner alone", async () => {
  const home = await temporaryFolder();
  const first = await loadFleetEnv(home, {}, {});
  expect(first.values.BASIC_AUTH_USER).toBe("operator");
  expect(first.values.BASIC_AUTH_PASS).toMatch(/^[\w-]{24}$/);
  expect(first.values.INTERNAL_KEY).toMatch(/^[\w-]{43}$/);
  expect(Buffer.from(first.values.SECRETS_KEY ?? "", "base64")).toHaveLength(32);
  expect((await stat(join(home, "env"))).mode & 0o777).toBe(0o600);
  expect((await loadFleetEnv(home, {}, {})).values).toEqual(first.values);
});

test.concurrent("the environment wins over .env, .env over the home, and an empty value over nothing", async () => {
  const home = await temporaryFolder();
  await writeFile(join(home, "env"), "INTERNAL_KEY=from-home\nBASIC_AUTH_USER=from-home\nBASIC_AUTH_PASS=from-home\n");
  const dotEnv = { INTERNAL_KEY: "from-file", BASIC_AUTH_PASS: "from-file", LOG_LEVEL: "" };
  const env = await loadFleetEnv(home, dotEnv, { INTERNAL_KEY: "from-environment", BASIC_AUTH_PASS: "" });
  expect(env.values).toMatchObject({
    INTERNAL_KEY: "from-environment",
    BASIC_AUTH_PASS: "from-file",
    BASIC_AUTH_USER: "from-home",
  });
  expect(env.values.LOG_LEVEL).toBeUndefined();
  expect(["INTERNAL_KEY", "BASIC_AUTH_PASS", "BASIC_AUTH_USER", "LOG_LEVEL"].map(env.sourceOf)).toEqual([
    "environment",
    ".env",
    "home",
    null,
  ]);
});

test.concurrent("what an older env file lacks is added, what it has is kept", async () => {
  const home = await temporaryFolder();
  await writeFile(join(home, "env"), "# mine\nBASIC_AUTH_PASS='kept as it is'");
  const { values } = await loadFleetEnv(home, {}, {});
  expect(values.BASIC_AUTH_PASS).toBe("kept as it is");
  const text = await readFile(join(home, "env"), "utf8");
  expect(text.startsWith("# mine\nBASIC_AUTH_PASS='kept as it is'\nBASIC_AUTH_USER=operator\n")).toBe(true);
});

test.concurrent("the data folder's passwords cannot be set from outside", async () => {
  const home = await temporaryFolder();
  const { values } = await loadFleetEnv(home, { DATABASE_PASSWORD: "a" }, { DATABASE_ADMIN_PASSWORD: "b" });
  expect([values.DATABASE_PASSWORD, values.DATABASE_ADMIN_PASSWORD]).not.toEqual(expect.arrayContaining(["a"]));
  expect(values.DATABASE_ADMIN_PASSWORD).not.toBe("b");
});

test.concurrent("a repository without .env has no settings of its own", async () => {
  expect(await readEnvFile(join(await temporaryFolder(), ".env"))).toEqual({});
});
