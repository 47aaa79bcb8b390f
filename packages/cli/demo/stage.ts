import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { eventually } from "@signalbox/testing/eventually.ts";

/** A rehearsal that runs, as its user and as the vendors behind it. */
export type Stage = {
  dashboard: string;
  login: { user: string; pass: string };
  call<T>(service: string, path: string, options?: { method?: string; body?: unknown; prefer?: string }): Promise<T>;
  /** What happens on a vendor's side: its stand-in's management API. */
  steer<T>(vendor: string, path: string, options?: { method?: string; body?: unknown }): Promise<T>;
  /** Waits for what the fleet does by itself. */
  until<T>(what: string, check: () => Promise<T>): Promise<Exclude<T, false | null | undefined>>;
};

type Fleet = {
  services: Record<string, { url?: string }>;
  dashboard: { url: string };
  emulators?: Record<string, { url: string }>;
};

const patienceMs = 240_000;

export async function openStage(home: string): Promise<Stage> {
  const fleet = JSON.parse(await readFile(join(home, "fleet.json"), "utf8")) as Fleet;
  const env = parseEnv(await readFile(join(home, "env"), "utf8"));
  const login = { user: env.BASIC_AUTH_USER ?? "", pass: env.BASIC_AUTH_PASS ?? "" };
  const authorization = `Basic ${Buffer.from(`${login.user}:${login.pass}`).toString("base64")}`;
  return {
    dashboard: fleet.dashboard.url,
    login,
    call: (service, path, { prefer, ...options } = {}) =>
      ask(`${fleet.services[service]?.url}${path}`, {
        ...options,
        headers: { authorization, ...(prefer !== undefined && { prefer }) },
      }),
    steer: (vendor, path, options = {}) => ask(`${fleet.emulators?.[vendor]?.url}/__control${path}`, options),
    until: (what, check) => eventually(check, { timeoutMs: patienceMs, everyMs: 250, what }),
  };
}

type Asked = { method?: string; body?: unknown; headers?: Record<string, string> };

async function ask<T>(
  url: string,
  { body, method = body === undefined ? "GET" : "POST", headers = {} }: Asked,
): Promise<T> {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text.slice(0, 300)}`);
  return (text === "" ? null : JSON.parse(text)) as T;
}
