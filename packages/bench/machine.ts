import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";
import { version } from "@signalbox/common/version.ts";

export type Machine = { cores: string; memory: string; system: string; load: string };

/** Where the figures were taken; without it they say nothing. */
export function describeMachine(): Machine {
  const cores = cpus();
  return {
    cores: `${cores.length} x ${cores[0]?.model.trim() ?? "unknown"}`,
    memory: `${Math.round(totalmem() / 1024 ** 3)} GB`,
    system: `${platform()} ${release()} ${arch()}`,
    // Somebody else's work on the same cores is the commonest reason for odd figures.
    load: `${(loadavg()[0] ?? 0).toFixed(1)} before the run (1 minute)`,
  };
}

/** What runs on it, whatever is measured. */
export function ownVersions(): Record<string, string> {
  return { Signalbox: version, "Node.js": process.versions.node };
}
