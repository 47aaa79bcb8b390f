/**
 * What became of an observer's cycles, on its way to the logging service. As with log lines, nothing waits for it and nothing fails
 * because of it: the service has three seconds to take an outcome, which stays on disk until it did. Each one has an id, so that
 * what is delivered twice is stored once.
 */
import type { OutcomeInput } from "./contracts/outcome.ts";
import { buildDelivery, type DeliveryPace, type DeliveryTarget } from "./log-delivery.ts";
import { buildRedactor, type RedactionRules } from "./redact.ts";
import { uuidTime, uuidv7 } from "./uuid.ts";

export type OutcomeReport = Omit<OutcomeInput, "id" | "at">;

export type OutcomeReporter = {
  /** Never throws and never waits. */
  report(outcome: OutcomeReport): void;
  /** Resolves when everything reported so far is delivered, on disk, or counted as dropped; after 10 s at the latest. */
  flush(): Promise<void>;
  /** Delivers what is left for some seconds, keeps the rest on disk for the next run of this service. */
  close(deadlineMs?: number): Promise<void>;
  /** Outcomes that will never arrive: no room, or refused. */
  dropped(): number;
};

export type OutcomeOptions = DeliveryTarget & {
  /** whose outcomes these are: names the files that keep them */
  service: string;
  redaction?: RedactionRules;
  /** Told when outcomes were dropped; there is no other sign of it. */
  onDropped(count: number): void;
  pace?: Partial<DeliveryPace>;
};

/** Outcomes are few; a full disk is worse than a lost one. */
const spoolBytes = 8_388_608;

export function buildOutcomeReporter(options: OutcomeOptions): OutcomeReporter {
  const { service, redaction, onDropped, pace, ...target } = options;
  const { redact } = buildRedactor(redaction);
  const delivery = buildDelivery({
    ...target,
    service: `${service}-outcomes`,
    path: "/event",
    report: onDropped,
    pace: { spoolBytes, ...pace },
  });
  return {
    report(outcome) {
      const id = uuidv7();
      const at = new Date(uuidTime(id) ?? Date.now()).toISOString();
      delivery.push(JSON.stringify({ ...(redact(outcome) as OutcomeReport), id, at }));
    },
    flush: delivery.flush,
    close: delivery.close,
    dropped: delivery.dropped,
  };
}
