import type { ComponentChildren } from "preact";
import { type Items, useItems, useReloadOn } from "../app/items.ts";
import { hasNewsOf } from "../app/news.ts";
import { search } from "../app/router.ts";
import { matchesRow, toApi } from "../domain/filter.ts";
import { deployLamp, deployWords, type RenderService, type Repair, repairLamps } from "../domain/render.ts";
import { renderVocabulary } from "../domain/vocabularies-more.ts";
import { countOf } from "../domain/words.ts";
import { FilterBar, useFilter } from "../ui/filter-bar.tsx";
import { Empty, PageHead, Panel, QueryNote, TableHead } from "../ui/parts.tsx";
import { CopyCurl, Gate, MoreButton, pickTab, Tabs, useLinkKeys } from "../ui/screen-parts.tsx";
import { LampWord } from "../ui/status.tsx";
import { Age, When } from "../ui/when.tsx";
import { DriftPanel } from "./infra-drift.tsx";
import { PlanTab } from "./infra-plan.tsx";

const tabs = [
  ["services", "Services"],
  ["drift", "Drift"],
  ["plan", "Plan and apply"],
  ["repairs", "Repairs"],
] as const;

export function InfraScreen() {
  const tab = pickTab(tabs, search.value.get("tab"));
  return (
    <>
      <PageHead title="Infrastructure" actions={<CopyCurl service="renderctl" path={paths[tab]} />}>
        What runs on Render, where it differs from the blueprint, and what would put it right.
      </PageHead>
      <Gate service="renderctl" settings="RENDER_API_TOKEN">
        <Tabs tabs={tabs} current={tab} label="Views of the infrastructure" />
        {tab === "services" && <ServicesTab />}
        {tab === "drift" && <DriftPanel />}
        {tab === "plan" && <PlanTab />}
        {tab === "repairs" && <RepairsTab />}
      </Gate>
    </>
  );
}

const paths: Record<(typeof tabs)[number][0], string> = {
  services: "/render/services",
  drift: "/render/drift",
  plan: "/render/drift",
  repairs: "/render/repairs",
};

function ServicesTab() {
  const filter = useFilter(renderVocabulary);
  const { query } = toApi(filter.terms, renderVocabulary, 0);
  const services = useItems<RenderService>("renderctl", "/render/services", query);
  useLinkKeys(".infra-services", "service");
  useReloadOn(services.query.reload, (batch) => hasNewsOf(batch, "renderctl"));
  const rows = services.rows.filter((row) => matchesRow(row, filter.terms, renderVocabulary, 0));
  const state = services.query.state.value;
  return (
    <>
      <FilterBar vocabulary={renderVocabulary} filter={filter} label="Filter services" ranges={false} />
      <QueryNote query={state} onRetry={services.query.reload} rows={6} />
      {state.data && rows.length === 0 && <NoServices isFiltered={filter.terms.length > 0} />}
      {rows.length > 0 && <ServiceTable rows={rows} items={services} />}
    </>
  );
}

function NoServices({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered)
    return (
      <Empty title="No service matches this filter">
        <p>The name must be exact. Remove a filter to see more.</p>
      </Empty>
    );
  return (
    <Empty title="This Render account has no services yet">
      <p>The blueprint in the repository describes the whole fleet. A plan shows what it would make.</p>
      <a class="button button-primary" href="/infra?tab=plan">
        Plan the blueprint
      </a>
    </Empty>
  );
}

function ServiceTable({ rows, items }: { rows: readonly RenderService[]; items: Items<RenderService> }) {
  return (
    <Panel title="Services" meta={countOf(rows.length, "service")} class="infra-services">
      <table class="table cards">
        <TableHead names={["Name", "Type", "Last deploy", "Deployed", "Repairs", "Address"]} />
        <tbody>
          {rows.map((service) => (
            <tr key={service.id}>
              <th scope="row">
                <a class="strong" href={`/infra/${service.id}`} data-focus>
                  {service.name}
                </a>
              </th>
              <td data-label="Type">{service.type.replaceAll("_", " ")}</td>
              <td data-label="Last deploy">
                <DeployState service={service} />
              </td>
              <td data-label="Deployed">
                {service.lastDeploy?.createdAt ? <Age at={service.lastDeploy.createdAt} /> : "–"}
              </td>
              <td data-label="Repairs">{service.monitored ? "with consent" : "never unasked"}</td>
              <td class="mono clip" data-label="Address">
                {service.url ? service.url.replace(/^https?:\/\//, "") : "–"}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <MoreButton items={items} />
    </Panel>
  );
}

export function DeployState({ service }: { service: RenderService }) {
  if (service.suspended) return <LampWord lamp="off">suspended</LampWord>;
  const deploy = service.lastDeploy;
  if (!deploy) return <LampWord lamp="unknown">never deployed</LampWord>;
  return <LampWord lamp={deployLamp(deploy.status)}>{deployWords(deploy.status)}</LampWord>;
}

function RepairsTab() {
  const repairs = useItems<Repair>("renderctl", "/render/repairs");
  useReloadOn(repairs.query.reload, (batch) => hasNewsOf(batch, "renderctl"));
  const state = repairs.query.state.value;
  return (
    <>
      <QueryNote query={state} onRetry={repairs.query.reload} rows={5} />
      {state.data && repairs.rows.length === 0 && (
        <Empty title="No build has needed a repair">
          <p>
            When a build of a service fails that <code>RENDER_MONITOR_SERVICES</code> names, its log is read here, with
            the cause, the evidence and what was tried. No other service is ever touched.
          </p>
        </Empty>
      )}
      {repairs.rows.map((repair) => (
        <RepairCard key={repair.id} repair={repair} />
      ))}
    </>
  );
}

function RepairCard({ repair }: { repair: Repair }) {
  return (
    <Panel
      title={repair.service.name}
      meta={
        <>
          attempt {repair.attempts}, <When at={repair.updatedAt} />
        </>
      }
    >
      <div class="panel-body repair">
        <p>
          <LampWord lamp={repairLamps[repair.state]}>{repair.state}</LampWord>{" "}
          <strong>{repair.cause.replaceAll("_", " ")}</strong> {repair.detail && <span>{repair.detail}</span>}
        </p>
        {repair.fix && <Fix before={repair.fix.before} after={repair.fix.after} />}
        {repair.evidence.length > 0 && <pre class="evidence">{repair.evidence.join("\n")}</pre>}
        <p class="muted">
          deploy <span class="mono">{repair.deployId}</span> of commit{" "}
          <span class="mono">{repair.commitId.slice(0, 9)}</span>
          {repair.taskId && (
            <>
              , <a href={`/tasks/${repair.taskId}`}>its task</a>
            </>
          )}
        </p>
      </div>
    </Panel>
  );
}

function Fix({ before, after }: { before: Record<string, string>; after: Record<string, string> }): ComponentChildren {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return (
    <ul class="changes mono" aria-label="What was changed">
      {keys.map((key) => (
        <li key={key}>
          <span class="change-path">{key}</span>
          <span class="change-from">{before[key] ?? "not set"}</span>
          <span aria-hidden="true">→</span>
          <span class="hidden"> became </span>
          <span class="change-to">{after[key] ?? "not set"}</span>
        </li>
      ))}
    </ul>
  );
}
