import { useSignal } from "@preact/signals";
import { useApp } from "../app/context.ts";
import { useQuery } from "../app/query.ts";
import type { Json, Schema } from "../domain/schema.ts";
import { findFaults } from "../domain/validate.ts";
import { countOf } from "../domain/words.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { SchemaForm } from "../ui/form.tsx";
import { Panel, QueryNote } from "../ui/parts.tsx";
import { Fact } from "../ui/screen-parts.tsx";
import { LampWord } from "../ui/status.tsx";
import { toast } from "../ui/toast.tsx";

type Wakeups = { enabled: boolean; items: { title: string; prompt: string; times: string[] }[] };
type Seen = { wakeups: Wakeups; etag: string };

/** At which times of a day the watcher gathers what happened into one message. */
export function WakeupsPanel() {
  const app = useApp();
  const isEditing = useSignal(false);
  const query = useQuery<Seen>("wakeups", async (signal) => {
    const answer = await app.rest.call<Wakeups>("posthog-watcher", "/wakeups", { signal });
    return answer.ok ? { ...answer, body: { wakeups: answer.body, etag: answer.headers.get("ETag") ?? "" } } : answer;
  });
  const state = query.state.value;
  const seen = state.data;
  return (
    <>
      <QueryNote query={state} onRetry={query.reload} rows={2} />
      {seen && (
        <Panel
          title="Wakeups"
          meta={
            <>
              <LampWord lamp={seen.wakeups.enabled ? "ok" : "off"}>{seen.wakeups.enabled ? "on" : "off"}</LampWord>
              <button type="button" class="button" onClick={() => (isEditing.value = true)}>
                Edit wakeups
              </button>
            </>
          }
        >
          <WakeupList items={seen.wakeups.items} />
        </Panel>
      )}
      {seen && isEditing.value && (
        <WakeupsDialog seen={seen} onClose={() => (isEditing.value = false)} onSaved={query.reload} />
      )}
    </>
  );
}

function WakeupList({ items }: Pick<Wakeups, "items">) {
  if (items.length === 0)
    return (
      <p class="panel-body muted">
        At the times of a wakeup the last day is gathered into one message: findings, what was done, what waits.
      </p>
    );
  return (
    <dl class="facts panel-body">
      {items.map(({ title, prompt, times }) => (
        <Fact key={title} name={`${times.join(", ")} UTC`}>
          <strong>{title}</strong> <span class="muted">{prompt}</span>
        </Fact>
      ))}
    </dl>
  );
}

const schema: Schema = {
  type: "object",
  required: ["enabled", "items"],
  additionalProperties: false,
  properties: {
    enabled: { type: "boolean" },
    missed: { enum: ["once", "skip"], description: "what fired while nobody watched; made up for once when left out" },
    items: {
      type: "array",
      items: {
        type: "object",
        required: ["title", "prompt", "times"],
        properties: {
          title: { type: "string", minLength: 1 },
          prompt: { type: "string", minLength: 1, description: "what is to be looked at, for whoever reads it" },
          times: {
            type: "array",
            minItems: 1,
            description: "UTC, such as 06:30",
            items: { type: "string", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$" },
          },
        },
      },
    },
  },
};

/** Replaces those that were on screen: what somebody else has changed since is not written over. */
function WakeupsDialog({ seen, onClose, onSaved }: { seen: Seen; onClose: () => void; onSaved: () => void }) {
  const app = useApp();
  const value = useSignal<Json>(seen.wakeups);
  const faults = findFaults(value.value, schema);
  const headers: Record<string, string> = seen.etag === "" ? {} : { "If-Match": seen.etag };
  return (
    <ConfirmCall<Wakeups>
      title="Edit the wakeups"
      button="Save the wakeups"
      wide
      locked={faults.size > 0}
      onClose={onClose}
      onDone={({ items }) => {
        toast(countOf(items.length, "wakeup"));
        onSaved();
      }}
      send={() => app.rest.call("posthog-watcher", "/wakeups", { method: "PUT", body: value.value, headers })}
    >
      <SchemaForm
        model={{ id: "wakeups", root: schema, value: value.value, faults, set: (next) => (value.value = next) }}
        schema={schema}
      />
    </ConfirmCall>
  );
}
