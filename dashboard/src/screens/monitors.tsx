import { useSignal } from "@preact/signals";
import { useApp } from "../app/context.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { hasNewsOf } from "../app/news.ts";
import { useQuery } from "../app/query.ts";
import type { Monitor } from "../domain/finding.ts";
import { countOf } from "../domain/words.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { JsonArea } from "../ui/json-area.tsx";
import { Empty, Note, Panel, QueryNote, TableHead } from "../ui/parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { toast } from "../ui/toast.tsx";
import { Age } from "../ui/when.tsx";

const healthLamps: Record<Monitor["health"]["state"], Lamp> = {
  off: "off",
  new: "queued",
  ok: "ok",
  waiting: "queued",
  failing: "warn",
  blind: "failed",
  invalid: "failed",
};

type Open = { act: "run" | "edit"; monitor: Monitor } | null;

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
            A monitor is a file in <code>infra/monitors</code>, or made with <code>PUT /monitors/:name</code>.
          </p>
        </Empty>
      )}
      {monitors.rows.length > 0 && (
        <Panel title="Monitors" meta={countOf(monitors.rows.length, "monitor")}>
          <MonitorTable rows={monitors.rows} onOpen={(next) => (open.value = next)} />
        </Panel>
      )}
      {open.value?.act === "run" && <RunDialog monitor={open.value.monitor} onClose={close} />}
      {open.value?.act === "edit" && (
        <EditDialog monitor={open.value.monitor} onClose={close} onSaved={monitors.query.reload} />
      )}
    </>
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

/** Replaces the definition that was on screen: a newer one is refused, and nothing is lost. */
function EditDialog({ monitor, onClose, onSaved }: { monitor: Monitor; onClose: () => void; onSaved: () => void }) {
  const app = useApp();
  const value = useSignal<unknown>(monitor.definition);
  return (
    <ConfirmCall
      title={`Edit ${monitor.name}`}
      button={`Replace version ${monitor.version}`}
      wide
      onClose={onClose}
      onDone={() => {
        toast(`${monitor.name} was replaced`);
        onSaved();
      }}
      send={() =>
        app.rest.call("posthog-watcher", `/monitors/${encodeURIComponent(monitor.name)}`, {
          method: "PUT",
          body: value.value,
          headers: { "If-Match": `"${monitor.version}"` },
        })
      }
    >
      {monitor.origin === "file" && (
        <Note lamp="waiting">It comes from a file. What you save here wins over that file from now on.</Note>
      )}
      <div class="field">
        <label for="monitor-json">Definition</label>
        <JsonArea id="monitor-json" rows={14} value={value.value} onValue={(next) => (value.value = next)} />
      </div>
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
