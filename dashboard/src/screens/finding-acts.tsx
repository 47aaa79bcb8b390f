import { type Signal, useSignal } from "@preact/signals";
import { serverNow } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { settings } from "../app/settings.ts";
import type { Finding, FindingAct } from "../domain/finding.ts";
import { formatDateTime } from "../domain/time.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { Toggle } from "../ui/field.tsx";
import { toast } from "../ui/toast.tsx";

const words: Record<FindingAct, { title: string; button: string; text: string; done: string }> = {
  ack: {
    title: "Acknowledge this finding?",
    button: "Acknowledge",
    text: "It stays open and asks nobody else; it is yours.",
    done: "Acknowledged",
  },
  snooze: {
    title: "Snooze this finding",
    button: "Snooze",
    text: "It leaves the overview until then, or until it gets worse.",
    done: "Snoozed",
  },
  resolve: {
    title: "Resolve this finding?",
    button: "Resolve",
    text: "It is over, or taken care of.",
    done: "Resolved",
  },
  decline: {
    title: "Decline this finding",
    button: "Decline",
    text: "It was none. The reason is remembered: what is alike at the same hour of the week is not told again, and the monitor's record counts it.",
    done: "Declined",
  },
};

const spans: readonly [string, number][] = [
  ["1 hour", 3_600_000],
  ["4 hours", 4 * 3_600_000],
  ["1 day", 86_400_000],
  ["1 week", 7 * 86_400_000],
];
const reasons = ["expected", "outage", "bug in monitor", "not interesting"];

type ActProps = { finding: Finding; act: FindingAct; onClose: () => void; onDone: () => void };

export function ActDialog({ finding, act, onClose, onDone }: ActProps) {
  const app = useApp();
  const text = useSignal("");
  const spanMs = useSignal(spans[0]?.[1] ?? 3_600_000);
  const said = words[act];
  const bodies: Record<FindingAct, () => object> = {
    ack: () => ({}),
    snooze: () => ({ until: new Date(serverNow() + spanMs.value).toISOString() }),
    resolve: () => (text.value.trim() === "" ? {} : { note: text.value.trim() }),
    decline: () => ({ reason: text.value.trim() }),
  };
  return (
    <ConfirmCall
      title={said.title}
      button={said.button}
      locked={act === "decline" && text.value.trim() === ""}
      onClose={onClose}
      onDone={() => {
        toast(said.done);
        onDone();
      }}
      send={() =>
        app.rest.call("posthog-watcher", `/findings/${finding.id}/${act}`, { method: "POST", body: bodies[act]() })
      }
    >
      <p>
        <strong>{finding.title}</strong>. {said.text}
      </p>
      {act === "snooze" && <SpanChoice spanMs={spanMs} />}
      {(act === "resolve" || act === "decline") && <ReasonField text={text} act={act} />}
    </ConfirmCall>
  );
}

function SpanChoice({ spanMs }: { spanMs: Signal<number> }) {
  const until = formatDateTime(serverNow() + spanMs.value, settings.zone.value);
  return (
    <fieldset class="choice">
      <legend>For how long</legend>
      <div class="segments">
        {spans.map(([name, ms]) => (
          <button
            key={name}
            type="button"
            class="segment"
            aria-pressed={spanMs.value === ms}
            onClick={() => {
              spanMs.value = ms;
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <p class="field-help">Until {until}</p>
    </fieldset>
  );
}

function ReasonField({ text, act }: { text: Signal<string>; act: FindingAct }) {
  return (
    <div class="field">
      <label for="act-reason">
        {act === "decline" ? "Why" : "Note"}
        {act === "resolve" && <span class="field-optional"> optional</span>}
      </label>
      <input
        id="act-reason"
        class="input"
        maxLength={2000}
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
        }}
      />
      {act === "decline" && (
        <div class="toggles">
          {reasons.map((reason) => (
            <Toggle key={reason} pressed={text.value === reason} onPress={() => (text.value = reason)}>
              {reason}
            </Toggle>
          ))}
        </div>
      )}
    </div>
  );
}
