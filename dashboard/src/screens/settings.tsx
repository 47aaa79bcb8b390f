import type { Signal } from "@preact/signals";
import { nowMs } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { settings } from "../app/settings.ts";
import { formatDuration } from "../domain/time.ts";
import { formatBytes, formatCount } from "../domain/words.ts";
import { sizeOf } from "../store/ring.ts";
import { PageHead, Panel } from "../ui/parts.tsx";

export function SettingsScreen() {
  const app = useApp();
  const signOut = (
    <button type="button" class="button button-danger" onClick={app.signOut}>
      Sign out
    </button>
  );
  return (
    <>
      <PageHead title="Settings" actions={signOut}>
        Signed in as {app.auth.user.value}. These choices belong to this browser.
      </PageHead>
      <div class="settings-grid">
        <Panel title="Look">
          <div class="panel-body field-list">
            <Choice
              name="Theme"
              value={settings.theme}
              options={{ system: "As the system", light: "Light", dark: "Dark" }}
            />
            <Choice name="Rows" value={settings.density} options={{ regular: "Regular", compact: "Compact" }} />
            <Choice name="Times" value={settings.zone} options={{ local: "Local time", utc: "UTC" }} />
          </div>
        </Panel>
        <Panel title="Keyboard">
          <div class="panel-body">
            <div class="field field-flag">
              <input
                id="single-keys"
                type="checkbox"
                checked={settings.singleKeys.value}
                onChange={(event) => {
                  settings.singleKeys.value = event.currentTarget.checked;
                }}
              />
              <label for="single-keys">Single keys</label>
              <p class="field-help">
                Switch them off if dictation or another tool presses keys for you. Ctrl K always works.
              </p>
            </div>
          </div>
        </Panel>
        <ConnectionPanel />
        <AddressPanel />
      </div>
    </>
  );
}

function Choice<T extends string>({
  name,
  value,
  options,
}: {
  name: string;
  value: Signal<T>;
  options: Record<T, string>;
}) {
  return (
    <fieldset class="choice">
      <legend>{name}</legend>
      <div class="segments">
        {Object.entries<string>(options).map(([option, words]) => (
          <button
            key={option}
            type="button"
            class="segment"
            aria-pressed={value.value === option}
            onClick={() => {
              value.value = option as T;
            }}
          >
            {words}
          </button>
        ))}
      </div>
    </fieldset>
  );
}

const transports = { socket: "WebSocket", events: "server-sent events" } as const;

function ConnectionPanel() {
  const app = useApp();
  const status = app.stream.status.value;
  const live = app.live.value;
  // The clock moves these figures while nothing else does.
  nowMs.value;
  const rows: [string, string][] = [
    ["State", `${status.phase}, for ${formatDuration(Date.now() - status.sinceMs)}`],
    ["By", transports[status.transport]],
    ["Orchestrator", status.server ? `${status.server.instance}, version ${status.server.version}` : "not greeted yet"],
    ["Frames applied", formatCount(live.applied)],
    ["Frames waiting", formatCount(app.stream.queued())],
    ["Rows held", `${formatCount(sizeOf(live.tail))}, about ${formatBytes(live.tail.weight)}`],
    ["Gaps told", formatCount(live.gaps)],
    ["Clock", `${live.offsetMs >= 0 ? "+" : "-"}${formatDuration(Math.abs(live.offsetMs))} against this machine`],
  ];
  return (
    <Panel
      title="Live connection"
      meta={
        <button type="button" class="button button-quiet" onClick={() => app.stream.start()}>
          Reconnect
        </button>
      }
    >
      <Facts rows={rows} />
      {status.problem && <p class="panel-body">{status.problem}</p>}
    </Panel>
  );
}

function AddressPanel() {
  const { config } = useApp();
  return (
    <Panel title="Addresses" meta={config.fleet}>
      <Facts rows={Object.entries(config.services)} />
    </Panel>
  );
}

function Facts({ rows }: { rows: readonly (readonly [string, string])[] }) {
  return (
    <dl class="facts panel-body">
      {rows.map(([name, value]) => (
        <div class="fact" key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
