/**
 * The circuit of one agent instance: after too many failures nothing is sent there for a while, then a single run tries whether
 * it is well again. Tasks wait meanwhile and spend no attempt.
 */
import type { Answer } from "./answer.ts";

/** So many failures one after the other open it. */
const maxStreak = 5;
/** So does this part of the last runs, once there were so many. */
const windowSize = 20;
const maxFailedShare = 0.5;
/** How long it stays open the first time, in ms; twice as long after each probe that fails. */
const firstOpenMs = 10_000;
const longestOpenMs = 120_000;

export type Circuit = {
  /** Of the last runs, whether each failed; the newest last. */
  recent: readonly boolean[];
  /** How often it was opened since a run last succeeded. */
  opened: number;
  /** Open until then; null while it is closed. */
  until: number | null;
  /** A run is under way that tries whether the instance is well. */
  isProbing: boolean;
};

export type CircuitState = "closed" | "open" | "half_open";

export const newCircuit: Circuit = { recent: [], opened: 0, until: null, isProbing: false };

/** A circuit whose probe is under way gets no second one. */
export function toState({ until, isProbing }: Circuit, now: number): CircuitState {
  if (until === null) return "closed";
  return now < until || isProbing ? "open" : "half_open";
}

/** A run is sent; on a half-open circuit it is the probe. */
export function begin(circuit: Circuit, now: number): { circuit: Circuit; isProbe: boolean } {
  const isProbe = toState(circuit, now) === "half_open";
  return { circuit: isProbe ? { ...circuit, isProbing: true } : circuit, isProbe };
}

/**
 * A run is over. While the circuit is not closed only the probe counts: the others began before it was opened.
 *
 * @param outcome `unknown` when the run was taken away before its answer was in
 */
export function record(
  circuit: Circuit,
  { isProbe, outcome, now }: { isProbe: boolean; outcome: "ok" | "failed" | "unknown"; now: number },
): Circuit {
  if (circuit.until !== null && !isProbe) return circuit;
  const rested = isProbe ? { ...circuit, isProbing: false } : circuit;
  if (outcome === "unknown") return rested;
  if (isProbe) return outcome === "ok" ? newCircuit : open(rested, now);
  const recent = [...circuit.recent, outcome === "failed"].slice(-windowSize);
  const next = { ...rested, recent };
  return isTooMuch(recent) ? open(next, now) : next;
}

function isTooMuch(recent: readonly boolean[]): boolean {
  const streak = recent.length - 1 - recent.lastIndexOf(false);
  if (streak >= maxStreak) return true;
  return recent.length === windowSize && recent.filter(Boolean).length >= windowSize * maxFailedShare;
}

function open(circuit: Circuit, now: number): Circuit {
  const openMs = Math.min(longestOpenMs, firstOpenMs * 2 ** circuit.opened);
  return { recent: [], opened: circuit.opened + 1, until: now + openMs, isProbing: false };
}

/** A caller who gives less time than this, in ms, tries its own patience and not the agent. */
const telltaleTimeoutMs = 1_000;

/**
 * What an answer says of the instance itself. A refusal in the one error shape comes from an agent that is well: it is about the
 * task, and its own retries see to it. Silence, a broken connection, rubbish, and a bare or internal server error are not.
 */
export function judgeHealth(answer: Answer): "ok" | "failed" | "unknown" {
  if (answer.kind === "timeout") return answer.afterMs < telltaleTimeoutMs ? "unknown" : "failed";
  if (answer.kind !== "answered") return "failed";
  if (answer.status === 200)
    return hasMember(answer.body, "result") || hasMember(answer.body, "waiting") ? "ok" : "failed";
  if (answer.status < 500) return "ok";
  return answer.status === 503 && hasMember(answer.body, "error") ? "ok" : "failed";
}

function hasMember(body: unknown, name: string): boolean {
  return typeof body === "object" && body !== null && Object.hasOwn(body, name);
}
