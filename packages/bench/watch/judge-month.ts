import { hourMs, type Incident, type MonthPlan } from "@signalbox/testing/posthog-stand-in/month.ts";

/** What a finding is judged by. */
export type SeenFinding = {
  monitor: string;
  title: string;
  openedAt: string;
  evidence: { since: string; at: string; direction: string };
  probableCauses: { kind: string; title: string }[];
};

export type Judgement = {
  found: number;
  of: number;
  missed: Incident[];
  /** buckets from an incident's beginning up to and with the one that raised it */
  delays: number[];
  /** findings that no incident explains */
  unexplained: SeenFinding[];
  duplicates: number;
  /** unexplained ones that were opened while PostHog's answers went wrong, or in the hours after */
  fromFailures: number;
  /** found incidents with a planted cause, and those of them whose first named cause it is */
  caused: number;
  rightlyNamed: number;
  /** findings about the project itself, and those of them while data was late */
  aboutProject: number;
  aboutLateData: number;
};

const projectMonitor = "project";
/** A finding may begin so long after the incident has ended: the last bad bucket is judged late. */
const echoMs = 2 * hourMs;

export function judgeMonth(plan: MonthPlan, findings: readonly SeenFinding[]): Judgement {
  const own = findings.filter(({ monitor }) => monitor !== projectMonitor);
  const project = findings.filter(({ monitor }) => monitor === projectMonitor);
  const matches = own.map((finding) => ({ finding, incident: incidentOf(plan, finding) }));
  const unexplained = matches.filter(({ incident }) => incident === null).map(({ finding }) => finding);
  const found = plan.incidents.flatMap((incident) => {
    const all = matches.filter((match) => match.incident === incident).map(({ finding }) => finding);
    const [first] = all.sort((a, b) => a.openedAt.localeCompare(b.openedAt));
    return first ? [{ incident, finding: first, count: all.length }] : [];
  });
  const caused = found.filter(({ incident }) => incident.cause !== null);
  return {
    ...{ found: found.length, of: plan.incidents.length, unexplained },
    missed: plan.incidents.filter((incident) => !found.some((one) => one.incident === incident)),
    delays: found.map(({ incident, finding }) => (Date.parse(finding.evidence.at) - incident.from) / hourMs + 1),
    duplicates: found.reduce((sum, { count }) => sum + count - 1, 0),
    fromFailures: unexplained.filter((finding) => isWithin(finding, plan.apiFailures)).length,
    caused: caused.length,
    rightlyNamed: caused.filter(({ incident, finding }) => isNamed(incident, finding)).length,
    aboutProject: project.length,
    aboutLateData: project.filter((finding) => isWithin(finding, plan.lateArrivals)).length,
  };
}

function incidentOf({ incidents }: MonthPlan, { monitor, evidence }: SeenFinding): Incident | null {
  const since = Date.parse(evidence.since);
  return incidents.find(({ series, from, to }) => series === monitor && since >= from && since < to + echoMs) ?? null;
}

function isWithin({ openedAt }: SeenFinding, spans: readonly { from: number; to: number }[]): boolean {
  const at = Date.parse(openedAt);
  return spans.some(({ from, to }) => at >= from && at < to + 4 * hourMs);
}

function isNamed({ cause }: Incident, { probableCauses: [first] }: SeenFinding): boolean {
  return cause !== null && (first?.title ?? "").includes(cause.name);
}
