/** What `config.json` beside the page says: the services' addresses. A service that is not named is off in this fleet. */
export type FleetConfig = { fleet: string; services: Readonly<Record<string, string>> };

/** Every service Signalbox has, in the order they are shown; the ones a fleet does not name are shown as off. */
export const knownServices = [
  "orchestrator",
  "logging",
  "echo-agent",
  "renderctl",
  "posthog-watcher",
  "telegram",
] as const;

export type ConfigAnswer = { ok: true; config: FleetConfig } | { ok: false; message: string };

function readServices(value: unknown): Record<string, string> {
  const services: Record<string, string> = {};
  if (typeof value !== "object" || value === null) return services;
  for (const [name, url] of Object.entries(value)) {
    if (typeof url === "string" && /^https?:\/\//.test(url)) services[name] = url.replace(/\/+$/, "");
  }
  return services;
}

/** @returns null when the value is no fleet configuration */
export function parseConfig(value: unknown): FleetConfig | null {
  if (typeof value !== "object" || value === null || !("services" in value)) return null;
  const fleet = "fleet" in value && typeof value.fleet === "string" ? value.fleet : "local";
  return { fleet, services: readServices(value.services) };
}

const fix = "“pnpm start” writes it for a local fleet, dashboard/render-build.sh on Render.";

export async function loadConfig(): Promise<ConfigAnswer> {
  try {
    const response = await fetch("/config.json", { cache: "no-store", credentials: "omit" });
    if (!response.ok) return { ok: false, message: `config.json answered ${response.status}. ${fix}` };
    const config = parseConfig(await response.json());
    if (!config?.services.orchestrator) return { ok: false, message: `config.json names no orchestrator. ${fix}` };
    return { ok: true, config };
  } catch {
    return { ok: false, message: `config.json could not be read. ${fix}` };
  }
}
