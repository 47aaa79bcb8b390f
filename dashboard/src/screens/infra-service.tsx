import { useSignal } from "@preact/signals";
import { useApp } from "../app/context.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { useKeys } from "../app/keys.ts";
import { hasNewsOf } from "../app/news.ts";
import { useQuery } from "../app/query.ts";
import { navigate, search } from "../app/router.ts";
import type { ScreenProps } from "../app/routes.ts";
import { type Deploy, deployLamp, deployWords, type EnvKey, type RenderService } from "../domain/render.ts";
import { countOf, shortId } from "../domain/words.ts";
import { Empty, PageHead, Panel, QueryNote, TableHead } from "../ui/parts.tsx";
import { CopyCurl, Gate, MoreButton, pickTab, Tabs } from "../ui/screen-parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { Elapsed, When } from "../ui/when.tsx";
import { DeployState } from "./infra.tsx";
import { DeployDialog, EnvDialog, RollbackDialog } from "./infra-acts.tsx";
import { DriftPanel } from "./infra-drift.tsx";

const tabs = [
  ["deploys", "Deploys"],
  ["env", "Environment"],
  ["drift", "Drift"],
] as const;

type Open = "deploy" | "env" | "rollback" | { rollbackTo: string } | null;

export function InfraServiceScreen({ params }: ScreenProps) {
  const id = params.id ?? "";
  return (
    <Gate service="renderctl" settings="RENDER_API_TOKEN">
      <FindService id={id} />
    </Gate>
  );
}

/** renderctl answers with lists only; an account has few services. */
function FindService({ id }: { id: string }) {
  const services = useItems<RenderService>("renderctl", "/render/services", { limit: 100 });
  useReloadOn(services.query.reload, (batch) => hasNewsOf(batch, "renderctl"));
  useKeys({ Escape: ["Back to the services", () => navigate("/infra")] });
  const state = services.query.state.value;
  const service = services.rows.find((row) => row.id === id);
  return (
    <>
      {!service && <PageHead title="Service" />}
      <QueryNote query={state} onRetry={services.query.reload} rows={8} />
      {state.data && !service && (
        <Empty title="There is no service with this id">
          <p>
            <span class="mono">{id}</span> is not among the services of this Render account.
          </p>
          <MoreButton items={services} />
          <a class="button" href="/infra">
            All services
          </a>
        </Empty>
      )}
      {service && <ServiceView service={service} />}
    </>
  );
}

function ServiceView({ service }: { service: RenderService }) {
  const open = useSignal<Open>(null);
  const tab = pickTab(tabs, search.value.get("tab"));
  const close = () => {
    open.value = null;
  };
  const { value } = open;
  return (
    <>
      <ServiceHead service={service} onOpen={(next) => (open.value = next)} />
      <Tabs tabs={tabs} current={tab} label="Views of this service" />
      {tab === "deploys" && (
        <DeploysTab service={service} onRollback={(deployId) => (open.value = { rollbackTo: deployId })} />
      )}
      {tab === "env" && <EnvTab service={service} />}
      {tab === "drift" && <DriftPanel resource={`service/${service.name}`} />}
      {value === "deploy" && <DeployDialog service={service} onClose={close} />}
      {value === "env" && <EnvDialog service={service} onClose={close} />}
      {value === "rollback" && <RollbackDialog service={service} deployId={null} onClose={close} />}
      {value !== null && typeof value === "object" && (
        <RollbackDialog service={service} deployId={value.rollbackTo} onClose={close} />
      )}
    </>
  );
}

function ServiceHead({ service, onOpen }: { service: RenderService; onOpen: (open: Open) => void }) {
  return (
    <PageHead
      title={service.name}
      actions={
        <>
          <CopyCurl service="renderctl" path={`/render/services/${service.id}/deploys`} />
          <button type="button" class="button" onClick={() => onOpen("env")}>
            Change environment
          </button>
          <button type="button" class="button button-danger" onClick={() => onOpen("rollback")}>
            Roll back
          </button>
          <button type="button" class="button button-primary" onClick={() => onOpen("deploy")}>
            Deploy
          </button>
        </>
      }
    >
      <DeployState service={service} /> {service.type.replaceAll("_", " ")} <span class="mono">{service.id}</span>
      {service.url && (
        <>
          {", "}
          <a href={service.url} target="_blank" rel="noreferrer">
            {service.url}
          </a>
        </>
      )}
      , {service.autoDeploy ? "deploys on every push" : "deploys only when asked"},{" "}
      {service.monitored ? "may be repaired unasked" : "is never repaired unasked"}
    </PageHead>
  );
}

function DeploysTab({ service, onRollback }: { service: RenderService; onRollback: (deployId: string) => void }) {
  const path = `/render/services/${service.id}/deploys`;
  const deploys = useItems<Deploy>("renderctl", path);
  useReloadOn(deploys.query.reload, (batch) => hasNewsOf(batch, "renderctl"));
  const state = deploys.query.state.value;
  if (state.data && deploys.rows.length === 0)
    return (
      <Empty title="Never deployed">
        <p>Its first deploy will be listed here with its commit, its length and the task that asked for it.</p>
      </Empty>
    );
  return (
    <>
      <QueryNote query={state} onRetry={deploys.query.reload} rows={6} />
      {deploys.rows.length > 0 && (
        <Panel title="Deploys" meta={countOf(deploys.rows.length, "deploy")}>
          <table class="table cards">
            <TableHead names={["State", "Commit", "By", "Began", "Took", "Task", ""]} hidden="Action" />
            <tbody>
              {deploys.rows.map((deploy) => (
                <DeployRow key={deploy.id} deploy={deploy} onRollback={() => onRollback(deploy.id)} />
              ))}
            </tbody>
          </table>
          <MoreButton items={deploys} />
        </Panel>
      )}
    </>
  );
}

function DeployRow({ deploy, onRollback }: { deploy: Deploy; onRollback: () => void }) {
  const { commit, createdAt, finishedAt } = deploy;
  return (
    <tr>
      <td>
        <LampWord lamp={deployLamp(deploy.status)}>{deployWords(deploy.status)}</LampWord>
      </td>
      <td data-label="Commit">
        {commit ? (
          <>
            <span class="mono">{commit.id.slice(0, 9)}</span> {commit.message?.split("\n")[0]}
          </>
        ) : (
          "–"
        )}
      </td>
      <td data-label="By">{deploy.trigger?.replaceAll("_", " ") ?? "–"}</td>
      <td data-label="Began">{createdAt ? <When at={createdAt} /> : "–"}</td>
      <td data-label="Took">{createdAt && finishedAt ? <Elapsed from={createdAt} to={finishedAt} /> : "–"}</td>
      <td data-label="Task">
        {deploy.taskId ? (
          <a class="mono" href={`/tasks/${deploy.taskId}`}>
            {shortId(deploy.taskId)}
          </a>
        ) : (
          "–"
        )}
      </td>
      <td>
        {deploy.status === "deactivated" && (
          <button type="button" class="button button-quiet" onClick={onRollback}>
            Roll back to this
          </button>
        )}
      </td>
    </tr>
  );
}

const envStates: Record<EnvKey["state"], [Lamp, string]> = {
  same: ["ok", "same"],
  differs: ["warn", "differs"],
  only_live: ["waiting", "only on Render"],
  only_blueprint: ["failed", "only in the blueprint"],
};

function EnvTab({ service }: { service: RenderService }) {
  const app = useApp();
  const query = useQuery<{ items: EnvKey[] }>(`env ${service.id}`, (signal) =>
    app.rest.call("renderctl", `/render/services/${service.id}/env`, { signal }),
  );
  const state = query.state.value;
  const items = state.data?.items ?? [];
  return (
    <>
      <QueryNote query={state} onRetry={query.reload} rows={6} />
      {state.data && items.length === 0 && (
        <Empty title="No environment variables">
          <p>Neither Render nor the blueprint sets one for this service.</p>
        </Empty>
      )}
      {items.length > 0 && (
        <Panel title="Environment" meta="names only; no value ever reaches this page">
          <table class="table">
            <TableHead names={["Key", "Against the blueprint"]} />
            <tbody>
              {items.map(({ key, state: stand }) => (
                <tr key={key}>
                  <th scope="row" class="mono">
                    {key}
                  </th>
                  <td>
                    <LampWord lamp={envStates[stand][0]}>{envStates[stand][1]}</LampWord>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Panel>
      )}
    </>
  );
}
