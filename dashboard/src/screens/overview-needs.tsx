import type { Task } from "@signalbox/common/contracts/task.ts";
import type { ComponentChildren } from "preact";
import type { Attention } from "../app/attention.ts";
import { nowMs } from "../app/clock.ts";
import { toPreview } from "../domain/diff.ts";
import type { Finding } from "../domain/finding.ts";
import { formatDuration } from "../domain/time.ts";
import { countOf } from "../domain/words.ts";
import { problemSettings, type ServiceState, sortByUrgency } from "../store/services.ts";
import { Empty, Panel, Skeleton } from "../ui/parts.tsx";
import { Glyph, type Lamp } from "../ui/status.tsx";
import { Age } from "../ui/when.tsx";

export function NeedsPanel({ attention }: { attention: Attention }) {
  const { waiting, failed, services, findings, drifted, count, isRead } = attention;
  return (
    <Panel
      title="Needs you"
      meta={count > 0 ? <span class="keys-hint">j k to move, Enter to open</span> : ""}
      class="needs"
    >
      {!isRead && !attention.problem && <Skeleton rows={3} />}
      {isRead && count === 0 && (
        <Empty title="Nothing needs you">
          <p>
            Approvals, critical findings, services with problems, drift and tasks that failed for good are listed here.
          </p>
          <a class="button" href="/activity">
            Watch what happens
          </a>
        </Empty>
      )}
      <ul class="needs-list">
        {waiting.map((task) => (
          <WaitingItem key={task.id} task={task} />
        ))}
        {findings.map((finding) => (
          <FindingItem key={finding.id} finding={finding} />
        ))}
        {sortByUrgency(services).map((service) => (
          <ServiceItem key={service.name} service={service} />
        ))}
        {drifted.length > 0 && <DriftItem drifted={drifted} />}
        {failed.map((task) => (
          <FailedItem key={task.id} task={task} />
        ))}
      </ul>
    </Panel>
  );
}

type ItemProps = {
  lamp: Lamp;
  title: string;
  href: string;
  action: string;
  primary?: boolean;
  children: ComponentChildren;
};

function Item({ lamp, title, href, action, primary, children }: ItemProps) {
  return (
    <li class="needs-item">
      <Glyph lamp={lamp} />
      <div class="needs-text">
        <p class="needs-title">{title}</p>
        <p class="needs-note">{children}</p>
      </div>
      <a class={primary ? "button button-primary" : "button"} href={href} data-focus aria-label={`${action} ${title}`}>
        {action}
      </a>
    </li>
  );
}

function WaitingItem({ task }: { task: Task }) {
  const expiresAt = task.approval?.expiresAt;
  const leftMs = expiresAt ? Date.parse(expiresAt) - nowMs.value : null;
  const words = task.approval?.prompt ?? task.approval?.reason ?? toPreview(task.payload, 140);
  const isApproval = task.waitingFor === "approval";
  return (
    <Item
      lamp="waiting"
      title={task.type}
      href={`/approvals?sel=${task.id}`}
      action={isApproval ? "Review" : "Answer"}
      primary
    >
      {words} · <span class="needs-meta">version {task.version}</span>
      {leftMs !== null && (
        <span class="needs-meta">, {leftMs > 0 ? `expires in ${formatDuration(leftMs)}` : "expired"}</span>
      )}
    </Item>
  );
}

function FailedItem({ task }: { task: Task }) {
  return (
    <Item lamp="failed" title={`${task.type} failed`} href={`/tasks/${task.id}`} action="Open">
      {task.error?.message ?? "No reason was given."} ·{" "}
      <span class="needs-meta">{countOf(task.attempt, "attempt")}</span>,{" "}
      <span class="needs-meta">
        <Age at={task.finishedAt ?? task.updatedAt} /> ago
      </span>
    </Item>
  );
}

function FindingItem({ finding }: { finding: Finding }) {
  return (
    <Item lamp="failed" title={finding.title} href={`/findings/${finding.id}`} action="Open">
      Found by the monitor {finding.monitor},{" "}
      <span class="needs-meta">
        <Age at={finding.openedAt} /> ago
      </span>
    </Item>
  );
}

function DriftItem({ drifted }: { drifted: readonly string[] }) {
  const [first] = drifted;
  const title = drifted.length === 1 ? `${first} has drifted` : `${drifted.length} resources have drifted`;
  return (
    <Item lamp="warn" title={title} href="/infra?tab=drift" action="Compare">
      Render is not as the blueprint says: {drifted.slice(0, 4).join(", ")}
      {drifted.length > 4 && ` and ${drifted.length - 4} more`}
    </Item>
  );
}

function serviceWords(service: ServiceState): string {
  if (service.state === "down") return service.failure?.message ?? "It cannot be reached.";
  const problems = service.report ? problemSettings(service.report) : [];
  if (problems.length > 0) return `Not set right: ${problems.map(({ key }) => key).join(", ")}`;
  return "It answers, but says that it is degraded.";
}

function ServiceItem({ service }: { service: ServiceState }) {
  const isDown = service.state === "down";
  return (
    <Item
      lamp={isDown ? "failed" : "warn"}
      title={`${service.name} ${isDown ? "is down" : "has a problem"}`}
      href="/config"
      action="Open"
    >
      {serviceWords(service)}
    </Item>
  );
}
