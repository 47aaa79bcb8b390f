import type { Health as ServiceHealth, ConfigReport as ServiceReport } from "@signalbox/common/contracts/service.ts";
import type { Answer, Failure } from "../net/rest.ts";

export type ServiceState = {
  name: string;
  url: string | null;
  state: "ok" | "degraded" | "down" | "off" | "unknown";
  health: ServiceHealth | null;
  failure: Failure | null;
  /** When the state began, and when it was last confirmed, by this machine's clock. */
  sinceMs: number;
  checkedAtMs: number | null;
  report: ServiceReport | null;
  reportFailure: Failure | null;
};
export type ServicesState = readonly ServiceState[];

/** Every known service and any other that the fleet names; one without an address is off. */
export function startServices(
  known: readonly string[],
  urls: Readonly<Record<string, string>>,
  nowMs: number,
): ServicesState {
  const names = [...new Set([...known, ...Object.keys(urls)])];
  return names.map((name) => ({
    name,
    url: urls[name] ?? null,
    state: urls[name] ? "unknown" : "off",
    health: null,
    failure: null,
    sinceMs: nowMs,
    checkedAtMs: null,
    report: null,
    reportFailure: null,
  }));
}

function judgeHealth(answer: Answer<ServiceHealth>): ServiceState["state"] {
  if (!answer.ok) return "down";
  return answer.body.status === "ok" ? "ok" : "degraded";
}

function replace(state: ServicesState, name: string, change: (service: ServiceState) => ServiceState): ServicesState {
  return state.map((service) => (service.name === name ? change(service) : service));
}

export function applyHealth(
  state: ServicesState,
  name: string,
  answer: Answer<ServiceHealth>,
  nowMs: number,
): ServicesState {
  return replace(state, name, (service) => {
    const next = judgeHealth(answer);
    return {
      ...service,
      state: next,
      sinceMs: next === service.state ? service.sinceMs : nowMs,
      checkedAtMs: nowMs,
      health: answer.ok ? answer.body : service.health,
      failure: answer.ok ? null : answer.failure,
    };
  });
}

export function applyReport(state: ServicesState, name: string, answer: Answer<ServiceReport>): ServicesState {
  return replace(state, name, (service) => ({
    ...service,
    report: answer.ok ? answer.body : service.report,
    reportFailure: answer.ok ? null : answer.failure,
  }));
}

/** A service whose settings must be read again: it is up, and they were never read or it has started since. */
export function needsReport(before: ServiceState, after: ServiceState): boolean {
  if (after.state === "down" || after.state === "off") return false;
  const restarted = (after.health?.uptimeSeconds ?? 0) < (before.health?.uptimeSeconds ?? 0);
  return after.report === null || after.reportFailure !== null || before.state === "down" || restarted;
}

export function hasProblem(service: ServiceState): boolean {
  return service.state === "down" || service.state === "degraded" || service.report?.ok === false;
}

/** A setting that nobody needs to set is no problem when it is missing. */
export function problemSettings(report: ServiceReport) {
  return report.settings.filter(({ status, required }) => status === "invalid" || (status === "missing" && required));
}

const ranks: Record<ServiceState["state"], number> = { down: 0, degraded: 1, unknown: 3, ok: 4, off: 5 };

/** Problems first; the order within is the fleet's own. */
export function sortByUrgency(state: ServicesState): ServiceState[] {
  const rank = (service: ServiceState) =>
    service.report?.ok === false && service.state === "ok" ? 2 : ranks[service.state];
  return [...state].sort((left, right) => rank(left) - rank(right));
}
