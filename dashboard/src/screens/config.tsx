import { useSignal } from "@preact/signals";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import { useApp } from "../app/context.ts";
import { settings } from "../app/settings.ts";
import { formatClock, formatDuration } from "../domain/time.ts";
import { countOf } from "../domain/words.ts";
import { hasProblem, problemSettings, type ServiceState, sortByUrgency } from "../store/services.ts";
import { PageHead, TableHead } from "../ui/parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";

type Setting = ConfigReport["settings"][number];

export function ConfigScreen() {
  const app = useApp();
  const services = app.services.value;
  const on = sortByUrgency(services).filter(({ state }) => state !== "off");
  const off = services.filter(({ state }) => state === "off");
  const problems = on.filter(hasProblem).length;
  return (
    <>
      <PageHead title="Config health" actions={<CheckButton />}>
        {problems === 0
          ? `${countOf(on.length, "service")} checked, every setting in order.`
          : `${countOf(problems, "service needs", "services need")} attention, of ${on.length}.`}
      </PageHead>
      <div class="service-list">
        {on.map((service) => (
          <ServiceCard key={service.name} service={service} />
        ))}
      </div>
      {off.length > 0 && <OffServices services={off} />}
    </>
  );
}

function CheckButton() {
  const app = useApp();
  const busy = useSignal(false);
  const check = async () => {
    busy.value = true;
    await app.checkServices(true);
    busy.value = false;
  };
  return (
    <button type="button" class="button" disabled={busy.value} onClick={() => void check()}>
      {busy.value ? "Checking…" : "Check now"}
    </button>
  );
}

function stateOf(service: ServiceState): [Lamp, string] {
  if (service.state === "down") return ["failed", "not reachable"];
  if (service.state === "unknown") return ["unknown", "checking"];
  if (service.report?.ok === false) return ["warn", "settings to fix"];
  return service.state === "degraded" ? ["warn", "degraded"] : ["ok", "ok"];
}

function ServiceCard({ service }: { service: ServiceState }) {
  const [lamp, words] = stateOf(service);
  const { health, report } = service;
  return (
    <section class={`panel service service-${lamp}`} aria-label={service.name}>
      <header class="panel-head">
        <h2>{service.name}</h2>
        <LampWord lamp={lamp}>{words}</LampWord>
        <div class="panel-meta">
          {health && service.state !== "down" && (
            <span>
              version {health.version}, up {formatDuration(health.uptimeSeconds * 1000)}
            </span>
          )}
          <span class="mono clip">{service.url}</span>
        </div>
      </header>
      <ServiceFailure service={service} />
      {report && <Report report={report} />}
    </section>
  );
}

function ServiceFailure({ service }: { service: ServiceState }) {
  const failure = service.state === "down" ? service.failure : service.reportFailure;
  if (!failure) return null;
  const since = formatClock(service.sinceMs, settings.zone.value);
  const what = service.state === "down" ? `Not reachable since ${since}.` : "Its settings could not be read.";
  return (
    <p class="panel-body service-failure">
      <strong>{what}</strong> {failure.message} <span class="mono muted">{failure.code}</span>
      {service.report && <span class="muted"> The settings below are the last that were read.</span>}
    </p>
  );
}

function Report({ report }: { report: ConfigReport }) {
  const problems = problemSettings(report);
  return (
    <>
      {problems.length > 0 && <SettingTable settings={problems} label="Settings to fix" />}
      <details class="settings-all">
        <summary>
          {countOf(report.settings.length, "setting")}, schema{" "}
          <span class="mono">{report.schemaHash.slice(0, 12)}</span>
        </summary>
        <SettingTable settings={report.settings} label="All settings" />
      </details>
    </>
  );
}

const settingLamps: Record<Setting["status"], Lamp> = {
  set: "ok",
  default: "off",
  missing: "failed",
  invalid: "failed",
};

/** A setting that nobody needs to set is no fault when it is not there. */
function lampOf(setting: Setting): Lamp {
  return setting.status === "missing" && !setting.required ? "off" : settingLamps[setting.status];
}

function SettingTable({ settings: rows, label }: { settings: readonly Setting[]; label: string }) {
  return (
    <table class="table setting-table">
      <caption class="hidden">{label}</caption>
      <TableHead names={["Setting", "State", "What it says"]} />
      <tbody>
        {rows.map((setting) => (
          <tr key={setting.key}>
            <th scope="row" class="mono">
              {setting.key}
            </th>
            <td>
              <LampWord lamp={lampOf(setting)}>{setting.status}</LampWord>
            </td>
            <td class="setting-note">
              {[setting.required ? "required" : "", setting.secret ? "secret, never shown" : "", setting.message ?? ""]
                .filter((part) => part !== "")
                .join(", ")}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function OffServices({ services }: { services: readonly ServiceState[] }) {
  return (
    <section class="panel" aria-label="Off">
      <header class="panel-head">
        <h2>Off in this fleet</h2>
      </header>
      <p class="panel-body muted">
        {services.map(({ name }) => name).join(", ")}. A service starts when its required settings are present;{" "}
        <code>.env.example</code> lists them.
      </p>
    </section>
  );
}
