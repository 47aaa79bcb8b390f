import type { TaskStats } from "@signalbox/common/contracts/stats.ts";
import { type Attention, useAttention } from "../app/attention.ts";
import { nowMs } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { useReloadOn } from "../app/items.ts";
import { useKeys } from "../app/keys.ts";
import { useQuery } from "../app/query.ts";
import { settings } from "../app/settings.ts";
import { formatShare, successOf } from "../domain/stats.ts";
import { formatAge, formatClock, formatDuration } from "../domain/time.ts";
import { countOf, formatCount } from "../domain/words.ts";
import { problemSettings, type ServiceState, sortByUrgency } from "../store/services.ts";
import { Note, PageHead, Panel, TableHead } from "../ui/parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { NeedsPanel } from "./overview-needs.tsx";
import { ThroughputPanel } from "./throughput.tsx";

const STATS_MS = 60_000;

/** The last hour's figures, read again when tasks ended, at most once a minute. */
function useHour(): TaskStats | null {
  const app = useApp();
  const query = useQuery<TaskStats>("hour", (signal) =>
    app.rest.call("orchestrator", "/tasks/stats", { query: { window: "1h" }, signal }),
  );
  useReloadOn(query.reload, (batch) => {
    const ageMs = Date.now() - (query.state.peek().loadedAtMs ?? 0);
    return ageMs > STATS_MS && batch.events.some(({ kind }) => kind === "completed" || kind === "failed");
  });
  return query.state.value.data;
}

export function OverviewScreen() {
  const attention = useAttention();
  const hour = useHour();
  useItemKeys();
  return (
    <>
      <PageHead title={titleOf(attention)}>{answerOf(attention)}</PageHead>
      {attention.problem && <Note lamp="failed">{attention.problem} What needs you cannot be read.</Note>}
      <Figures attention={attention} hour={hour} />
      <div class="overview-grid">
        <NeedsPanel attention={attention} />
        <div class="overview-side">
          <ServicesPanel />
          {hour && hour.total > 0 && <ThroughputPanel stats={hour} meta="last hour" />}
        </div>
      </div>
    </>
  );
}

function titleOf(attention: Attention): string {
  if (!attention.isRead) return attention.problem ? "It is not known what needs you" : "Overview";
  if (attention.clearSinceMs !== null)
    return `All clear since ${formatClock(attention.clearSinceMs, settings.zone.value).slice(0, 5)}`;
  return attention.count === 1 ? "1 thing needs you" : `${formatCount(attention.count)} things need you`;
}

function answerOf(attention: Attention): string {
  if (!attention.isRead) return "Reading the fleet's state.";
  const { waiting, failed, services, findings, drifted } = attention;
  if (attention.count === 0) return "Nothing waits for you, and nothing has failed in the last hour.";
  const parts: string[] = [];
  if (waiting.length > 0) parts.push(countOf(waiting.length, "task waits for a person", "tasks wait for a person"));
  if (failed.length > 0)
    parts.push(countOf(failed.length, "task failed in the last hour", "tasks failed in the last hour"));
  if (findings.length > 0) parts.push(countOf(findings.length, "critical finding"));
  if (services.length > 0) parts.push(countOf(services.length, "service has a problem", "services have a problem"));
  if (drifted.length > 0) parts.push("Render has drifted");
  return `${parts.join(", ")}.`;
}

/** Moves between the things that need a person; Enter opens the one that has the focus. */
function useItemKeys(): void {
  const move = (step: number) => {
    const links = [...document.querySelectorAll<HTMLElement>(".needs [data-focus]")];
    const index = links.indexOf(document.activeElement as HTMLElement);
    links[Math.min(links.length - 1, Math.max(0, index + step))]?.focus();
  };
  useKeys({ j: ["Next thing", () => move(1)], k: ["Thing before", () => move(-1)] });
}

function Figures({ attention, hour }: { attention: Attention; hour: TaskStats | null }) {
  const { running, queued, notDue, oldestQueuedAt, isPartial } = attention;
  const success = hour && successOf(hour);
  const { completed = 0, failed = 0 } = hour?.byStatus ?? {};
  const run = hour?.runMs;
  const atLeast = isPartial ? "+" : "";
  const some = notDue < queued ? `${formatCount(notDue)} of them ` : "";
  const later = notDue > 0 ? `${some}not due yet` : "none is due";
  const oldest = oldestQueuedAt === null ? later : `oldest ${formatAge(nowMs.value - Date.parse(oldestQueuedAt))}`;
  return (
    <div class="figures">
      <Figure
        href="/tasks?status=running"
        name="Running"
        value={`${formatCount(running)}${atLeast}`}
        note="at work now"
      />
      <Figure href="/tasks?status=queued" name="Queued" value={`${formatCount(queued)}${atLeast}`} note={oldest} />
      <Figure
        href="/tasks?status=failed&since=1h"
        name="Succeeded, last hour"
        value={formatShare(success ?? null)}
        note={`${formatCount(completed)} of ${formatCount(completed + failed)}`}
      />
      <Figure
        href="/analytics?window=1h"
        name="Run time p95, last hour"
        value={run?.p95 === null || run?.p95 === undefined ? "–" : formatDuration(run.p95)}
        note={run?.p50 === null || run?.p50 === undefined ? "no task ran" : `p50 ${formatDuration(run.p50)}`}
      />
    </div>
  );
}

function Figure({ href, name, value, note }: { href: string; name: string; value: string; note: string }) {
  return (
    <a class="figure" href={href}>
      <span class="figure-name">{name}</span>
      <span class="figure-line">
        <span class="figure-value">{value}</span> <span class="figure-note">{note}</span>
      </span>
    </a>
  );
}

const serviceLamps: Record<ServiceState["state"], Lamp> = {
  ok: "ok",
  degraded: "warn",
  down: "failed",
  off: "off",
  unknown: "unknown",
};

function configWords(service: ServiceState): string {
  if (service.state === "off" || (service.state === "down" && !service.report)) return "–";
  if (!service.report) return service.reportFailure ? "not readable" : "…";
  const count = problemSettings(service.report).length;
  return count === 0 ? "ok" : `${count} to fix`;
}

function ServicesPanel() {
  const services = useApp().services.value;
  const on = services.filter(({ state }) => state !== "off");
  const healthy = on.filter(({ state }) => state === "ok").length;
  return (
    <Panel title="Services" meta={`${healthy} of ${on.length} healthy`}>
      <table class="table">
        <TableHead names={["Service", "State", "Config", "Up"]} />
        <tbody>
          {sortByUrgency(services).map((service) => (
            <tr key={service.name}>
              <th scope="row">
                <a href="/config">{service.name}</a>
              </th>
              <td>
                <LampWord lamp={serviceLamps[service.state]}>
                  {service.state === "unknown" ? "checking" : service.state}
                </LampWord>
              </td>
              <td>{configWords(service)}</td>
              <td>
                {service.health && service.state !== "down" ? formatDuration(service.health.uptimeSeconds * 1000) : "–"}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
