/** The circuits of all agent instances, as this orchestrator has seen them fail; each orchestrator judges for itself. */
import type { Log } from "@signalbox/common/log.ts";
import { begin, type Circuit, newCircuit, record, toState } from "../circuit.ts";

/** The right to send one run to an instance; `over` must be called once. */
export type Passage = { over(outcome: "ok" | "failed" | "unknown"): void };

export type Circuits = {
  enter(instance: string): Passage;
  /** Instances whose circuit is not closed. */
  states(): ReadonlyMap<string, "open" | "half_open">;
  /** Until the next open circuit may be probed, in ms; null when none is open. */
  nextProbeMs(): number | null;
  /** Instances that are gone take their circuits with them. */
  keep(instances: ReadonlySet<string>): void;
};

export function buildCircuits({ log }: { log: Log }): Circuits {
  const circuits = new Map<string, Circuit>();

  function set(instance: string, before: Circuit, after: Circuit): void {
    circuits.set(instance, after);
    if (before.until === null && after.until !== null)
      log.warn({ instance }, "an agent instance failed too often: nothing is sent there for a while");
    if (before.until !== null && after.until === null)
      log.info({ instance }, "an agent instance is well again: it gets runs as before");
  }

  return {
    enter(instance) {
      const { circuit, isProbe } = begin(circuits.get(instance) ?? newCircuit, performance.now());
      circuits.set(instance, circuit);
      return {
        over(outcome) {
          const before = circuits.get(instance) ?? newCircuit;
          set(instance, before, record(before, { isProbe, outcome, now: performance.now() }));
        },
      };
    },
    states() {
      const now = performance.now();
      const states = new Map<string, "open" | "half_open">();
      for (const [instance, circuit] of circuits) {
        const state = toState(circuit, now);
        if (state !== "closed") states.set(instance, state);
      }
      return states;
    },
    nextProbeMs() {
      const now = performance.now();
      const times = [...circuits.values()].map(({ until }) => until).filter((until) => until !== null && until > now);
      return times.length === 0 ? null : Math.min(...(times as number[])) - now;
    },
    keep(instances) {
      for (const instance of circuits.keys()) if (!instances.has(instance)) circuits.delete(instance);
    },
  };
}
