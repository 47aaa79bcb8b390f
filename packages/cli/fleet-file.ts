import { rm } from "node:fs/promises";
import { join } from "node:path";
import { writePrivateFile } from "./home.ts";

export type ServiceState = { url: string; pid: number; state: "running" } | { state: "off"; reason: string };

/** What `fleet.json` says: where a running fleet is found. It exists while the fleet is up, and not after a clean stop. */
export type FleetFile = {
  services: Record<string, ServiceState>;
  dashboard: { url: string };
  databaseUrl: string;
  /** Of a rehearsal: where the stand-ins of the vendors are. */
  emulators?: Record<string, { url: string }>;
};

export type FleetFileWriter = { write(fleet: FleetFile): Promise<void>; remove(): Promise<void> };

/** Writes one after the other, so that the newest state is also the last on disk. */
export function buildFleetFileWriter(home: string): FleetFileWriter {
  const path = join(home, "fleet.json");
  let last: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    write: (fleet) => inTurn(() => writePrivateFile(path, `${JSON.stringify(fleet, null, 2)}\n`)),
    remove: () => inTurn(() => rm(path, { force: true })),
  };
}
