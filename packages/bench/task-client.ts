import type { FleetHome } from "./fleet-process.ts";

/** What the benchmark reads of a task that has ended. */
export type EndedTask = { id: string; status: string; createdAt: string; finishedAt: string };

export function basicOf({ user, pass }: FleetHome): string {
  return `Basic ${Buffer.from(`${user}:${pass}`).toString("base64")}`;
}
