import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useApp } from "../app/context.ts";
import type { Forecast, Monitor } from "../domain/finding.ts";
import type { Json, Schema } from "../domain/schema.ts";
import { findFaults, findTypedFaults } from "../domain/validate.ts";
import { countOf } from "../domain/words.ts";
import { CallProblem, ConfirmCall, useCall } from "../ui/call.tsx";
import { TextField } from "../ui/field.tsx";
import { SchemaForm } from "../ui/form.tsx";
import { JsonArea } from "../ui/json-area.tsx";
import { Note } from "../ui/parts.tsx";
import { toast } from "../ui/toast.tsx";
import { When } from "../ui/when.tsx";

const pathOf = (name: string) => `/monitors/${encodeURIComponent(name)}`;

type Saving = { onClose: () => void; onSaved: () => void };

/** Replaces the definition that was on screen: a newer one is refused, and nothing is lost. */
export function EditMonitor({ monitor, onClose, onSaved }: Saving & { monitor: Monitor }) {
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
        app.rest.call("posthog-watcher", pathOf(monitor.name), {
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
      <Trial name={monitor.name} definition={value.value} />
    </ConfirmCall>
  );
}

// What most monitors need; whatever else the watcher understands goes into the field for other ones.
const usual: Schema = {
  type: "object",
  required: ["title", "event"],
  properties: {
    title: { type: "string", minLength: 1, description: "what its findings are called, such as Sign-ups" },
    event: { type: "string", minLength: 1, description: "the event that is counted, such as signed_up" },
    direction: { enum: ["down", "up", "both"], description: "which way is bad" },
    bucket: { enum: ["5m", "15m", "1h", "1d"], description: "what is counted together; an hour when left out" },
    owner: { type: "string", description: "whom a finding concerns, such as @growth" },
    runbook: { type: "string", format: "uri", description: "what to do about a finding" },
  },
};

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** A monitor of one event, tried over the past before it is made. */
export function NewMonitor({ onClose, onSaved }: Saving) {
  const app = useApp();
  const name = useSignal("");
  const value = useSignal<Json>({ direction: "down" });
  const isWhole = findFaults(value.value, usual).size === 0;
  const isNamed = namePattern.test(name.value);
  return (
    <ConfirmCall
      title="New monitor"
      button="Make the monitor"
      wide
      locked={!isNamed || !isWhole}
      onClose={onClose}
      onDone={() => {
        toast(`${name.value} watches from now on`);
        onSaved();
      }}
      send={() => app.rest.call("posthog-watcher", pathOf(name.value), { method: "PUT", body: value.value })}
    >
      <TextField
        id="monitor-name"
        label="Name"
        mono
        value={name.value}
        onValue={(next) => (name.value = next.trim())}
        help="letters, digits, dots and dashes, such as signups; it cannot be changed later"
      />
      <SchemaForm
        model={{
          ...{ id: "monitor", root: usual, value: value.value },
          faults: findTypedFaults(value.value, usual),
          set: (next) => (value.value = next),
        }}
        schema={usual}
      />
      <Trial name={isNamed ? name.value : "draft"} definition={value.value} locked={!isWhole} />
    </ConfirmCall>
  );
}

type TrialProps = { name: string; definition: unknown; locked?: boolean };

/** When it would have fired over the last thirty days. Nothing is kept or told. */
function Trial({ name, definition, locked }: TrialProps): ComponentChildren {
  const app = useApp();
  const call = useCall();
  const found = useSignal<{ forecast: Forecast; of: unknown } | null>(null);
  const tryIt = () =>
    void call.run(
      () =>
        app.rest.call<Forecast>("posthog-watcher", `${pathOf(name)}/dry-run`, { method: "POST", body: { definition } }),
      (forecast) => {
        found.value = { forecast, of: definition };
      },
    );
  // What was tried is not what stands there any more.
  const held = found.value;
  const forecast = held !== null && held.of === definition ? held.forecast : null;
  return (
    <div class="field" aria-live="polite">
      <div class="actions">
        <button type="button" class="button" disabled={locked || call.busy.value} onClick={tryIt}>
          {call.busy.value ? "Reading PostHog…" : "Try it on the last 30 days"}
        </button>
        {forecast && (
          <span>
            <strong>{countOf(forecast.findings.length, "finding")}</strong>, {forecast.findingsAWeek} a week
          </span>
        )}
      </div>
      <CallProblem call={call} />
      {forecast && (
        <ul class="plan-notes">
          {forecast.findings.slice(-SHOWN).map((finding) => (
            <li key={`${finding.series} ${finding.since}`}>
              <When at={finding.raisedAt} form="date-time" /> {finding.severity}, {finding.title}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

const SHOWN = 5;
