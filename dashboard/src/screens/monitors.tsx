import { useSignal } from "@preact/signals";
import { useApp } from "../app/context.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { hasNewsOf } from "../app/news.ts";
import { useQuery } from "../app/query.ts";
import type { Monitor } from "../domain/finding.ts";
import { countOf } from "../domain/words.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { Empty, Panel, QueryNote, TableHead } from "../ui/parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { toast } from "../ui/toast.tsx";
import { Age } from "../ui/when.tsx";
import { EditMonitor, NewMonitor } from "./monitor-forms.tsx";
import { WakeupsPanel } from "./wakeups.tsx";

const healthLamps: Record<Monitor["health"]["state"], Lamp> = {
  off: "off",
  new: "queued",
  ok: "ok",
  waiting: "queued",
  failing: "warn",
  blind: "failed",
  invalid: "failed",
};

type Open = { act: "run" | "edit"; monitor: Monitor } | { act: "new" } | null;

export function MonitorsTab() {
  const monitors = useItems<Monitor>("posthog-watcher", "/monitors");
  useReloadOn(monitors.query.reload, (batch) => hasNewsOf(batch, "posthog-watcher"));
  const open = useSignal<Open>(null);
  const state = monitors.query.state.value;
  const close = () => {
    open.value = null;
  };
  return (
    <>
      <WatcherPanel />
      <QueryNote query={state} onRetry={monitors.query.reload} rows={5} />
      {state.data && monitors.rows.length === 0 && (
        <Empty title="Nothing is watched">
          <p>
            A monitor says which series is read, and what of it is unexpected. It is a file in{" "}
            <code>infra/monitors</code>, or made here.
          </p>
          <NewButton onNew={() => (open.value = { act: "new" })} />
        </Empty>
      )}
      {monitors.rows.length > 0 && (
        <Panel
          title="Monitors"
          meta={
            <>
              {countOf(monitors.rows.length, "monitor")}
              <NewButton onNew={() => (open.value = { act: "new" })} />
            </>
          }
        >
          <MonitorTable rows={monitors.rows} onOpen={(next) => (open.value = next)} />
        </Panel>
      )}
      <WakeupsPanel />
      {open.value?.act === "run" && <RunDialog monitor={open.value.monitor} onClose={close} />}
      {open.value?.act === "edit" && (
        <EditMonitor monitor={open.value.monitor} onClose={close} onSaved={monitors.query.reload} />
      )}
      {open.value?.act === "new" && <NewMonitor onClose={close} onSaved={monitors.query.reload} />}
    </>
  );
}

function NewButton({ onNew }: { onNew: () => void }) {
  return (
    <button type="button" class="button" onClick={onNew}>
      New monitor
    </button>
  );
}

function MonitorTable({ rows, onOpen }: { rows: readonly Monitor[]; onOpen: (open: Open) => void }) {
  return (
    <table class="table cards">
      <TableHead names={["Monitor", "Sees", "Judged until", "In an incident", "Right", "From", ""]} hidden="Actions" />
      <tbody>
        {rows.map((monitor) => (
          <MonitorRow key={monitor.name} monitor={monitor} onOpen={onOpen} />
        ))}
      </tbody>
    </table>
  );
}

function rightWords({ told, declined, precision }: Monitor["precision"]): string {
  return precision === null ? "nothing told yet" : `${Math.round(precision * 100)} %, ${told - declined} of ${told}`;
}

function MonitorRow({ monitor, onOpen }: { monitor: Monitor; onOpen: (open: Open) => void }) {
  const { name, definition, health, precision, suggestion, origin } = monitor;
  return (
    <tr>
      <th scope="row">
        <a class="strong" href={`/findings?monitor=${encodeURIComponent(name)}`} title="Its findings">
          {definition.title ?? name}
        </a>{" "}
        <span class="muted mono">{name}</span>
        {health.error && <p class="lamp-failed">{health.error}</p>}
        {suggestion && <p class="muted">{suggestion}</p>}
      </th>
      <td data-label="Sees">
        <LampWord lamp={healthLamps[health.state]}>{health.state}</LampWord>
      </td>
      <td data-label="Judged until">
        {health.judgedUntil ? (
          <>
            <Age at={health.judgedUntil} /> ago
          </>
        ) : (
          "–"
        )}
      </td>
      <td data-label="In an incident">{health.episodes === 0 ? "no" : countOf(health.episodes, "series", "series")}</td>
      <td data-label="Right">{rightWords(precision)}</td>
      <td data-label="From">{origin === "file" ? "a file" : `an edit, version ${monitor.version}`}</td>
      <td class="row-actions">
        <button type="button" class="button button-quiet" onClick={() => onOpen({ act: "run", monitor })}>
          Look now<span class="hidden"> with {name}</span>
        </button>
        <button type="button" class="button button-quiet" onClick={() => onOpen({ act: "edit", monitor })}>
          Edit<span class="hidden"> {name}</span>
        </button>
      </td>
    </tr>
  );
}

function RunDialog({ monitor, onClose }: { monitor: Monitor; onClose: () => void }) {
  const app = useApp();
  return (
    <ConfirmCall
      title={`Look at ${monitor.name} now?`}
      button="Look now"
      onClose={onClose}
      onDone={() => toast(`${monitor.name} looks now`)}
      send={() => app.rest.call("posthog-watcher", "/watch/run", { method: "POST", body: { monitor: monitor.name } })}
    >
      <p>It reads and judges what is due, besides its own times. A finding may come of it.</p>
    </ConfirmCall>
  );
}

type WatchStatus = {
  mode: string;
  stopped: { isStopped: boolean; why?: string | null };
  lastRunAt: string | null;
  closedUntil: string | null;
};

const modeWords: Record<string, string> = {
  observe: "It observes: findings are told, nothing is proposed.",
  propose: "It proposes: what would put a finding right becomes a task that waits for you.",
  execute: "It executes what it is allowed to, and proposes the rest.",
};

/** What the watcher may do, and the brake. */
function WatcherPanel() {
  const app = useApp();
  const query = useQuery<WatchStatus>("watch status", (signal) =>
    app.rest.call("posthog-watcher", "/watch/status", { signal }),
  );
  const asking = useSignal(false);
  const status = query.state.value.data;
  if (!status) return null;
  const { isStopped, why } = status.stopped;
  const words = isStopped ? "Let it execute again" : "Stop executing";
  return (
    <div class="panel panel-body plan-sum">
      <p>
        <strong>{isStopped ? "The brake is on." : (modeWords[status.mode] ?? status.mode)}</strong> {isStopped && why}
        {status.lastRunAt && (
          <span class="muted">
            {" "}
            It looked <Age at={status.lastRunAt} /> ago.
          </span>
        )}
      </p>
      {(status.mode === "execute" || isStopped) && (
        <button type="button" class="button" onClick={() => (asking.value = true)}>
          {words}
        </button>
      )}
      {asking.value && (
        <ConfirmCall
          title={`${words}?`}
          button={words}
          danger={!isStopped}
          onClose={() => (asking.value = false)}
          onDone={query.reload}
          send={() =>
            app.rest.call("posthog-watcher", isStopped ? "/watch/resume" : "/watch/stop", { method: "POST", body: {} })
          }
        >
          <p>
            {isStopped
              ? "What it is allowed to do it does again unasked."
              : "Nothing is done unasked any more; what is under way ends."}
          </p>
        </ConfirmCall>
      )}
    </div>
  );
}
