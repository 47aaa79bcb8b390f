import { agentFaults } from "./nemesis/agents.ts";
import { attackFaults } from "./nemesis/attacks.ts";
import { databaseFaults } from "./nemesis/database.ts";
import { lineFaults } from "./nemesis/lines.ts";
import { logFaults } from "./nemesis/logs.ts";
import { networkFaults } from "./nemesis/network.ts";
import { processFaults } from "./nemesis/processes.ts";
import { streamFaults } from "./nemesis/streams.ts";
import type { PlannedRound } from "./plan.ts";
import type { Fault } from "./scene.ts";

export const allFaults: Fault[] = [
  ...processFaults,
  ...databaseFaults,
  ...networkFaults,
  ...agentFaults,
  ...lineFaults,
  ...streamFaults,
  ...logFaults,
  ...attackFaults,
];

function named(...names: string[]): Fault[] {
  return names.map((name) => {
    const fault = allFaults.find((candidate) => candidate.name === name);
    if (!fault) throw new Error(`there is no fault ${name}`);
    return fault;
  });
}

/** The most telling ones side by side; they last as long as a lease. */
export const shortRounds: PlannedRound[] = [
  { label: "short.1", faults: named("two-thousand", "kill-agent", "postgres-crash", "hostile-json") },
];
