import { useSignal } from "@preact/signals";
import type { TaskType } from "@signalbox/common/contracts/agent.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { type App, useApp } from "../app/context.ts";
import { useQuery } from "../app/query.ts";
import { navigate } from "../app/router.ts";
import type { RenderService } from "../domain/render.ts";
import { initialValue, isObject, type Json, type Schema } from "../domain/schema.ts";
import { findFaults, findTypedFaults } from "../domain/validate.ts";
import { newKey } from "../net/key.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { FlagField } from "../ui/field.tsx";
import { SchemaForm } from "../ui/form.tsx";
import { QueryNote } from "../ui/parts.tsx";

/*
 * What changes Render is made as a task that waits for an approval: the dialog fills in the payload, and the task's page shows
 * exactly that payload with its version on the button. So there is one place where things are decided, and one audit.
 */

type Wish = { type: string; payload: unknown; reason: string };

function sendWish(app: App, { type, payload, reason }: Wish, key: string) {
  const body = { type, payload, source: "dashboard", approval: { required: true, reason } };
  return app.rest.call<Task>("orchestrator", "/task", { method: "POST", body, headers: { "Idempotency-Key": key } });
}

const openTask = ({ id }: Task) => navigate(`/tasks/${id}`);

/** The schema without the members that the dialog has decided already. */
function withoutMembers(schema: Schema, names: readonly string[]): Schema {
  const properties = isObject(schema.properties) ? { ...schema.properties } : {};
  for (const name of names) delete properties[name];
  const required = Array.isArray(schema.required) ? schema.required.filter((name) => !names.includes(name)) : [];
  return { ...schema, properties, required };
}

type ActProps = { service: RenderService; onClose: () => void };

type TaskDialogProps = ActProps & {
  type: string;
  title: string;
  text: string;
  reason: string;
  start?: Record<string, unknown>;
};

/** A task about one service, with a form of what its type leaves open. */
function TaskDialog({ service, onClose, type, title, text, reason, start = {} }: TaskDialogProps) {
  const app = useApp();
  const key = useSignal(newKey());
  const types = useQuery<{ items: TaskType[] }>("task types", (signal) =>
    app.rest.call("orchestrator", "/task-types", { signal }),
  );
  const found = types.state.value.data?.items.find((item) => item.type === type);
  const schema = withoutMembers(found?.payloadSchema ?? { type: "object" }, ["serviceId"]);
  const value = useSignal<Json>(undefined);
  const shown = value.value ?? { ...(initialValue(schema, schema) as object), ...start };
  const wrong = findFaults(shown, schema);
  return (
    <ConfirmCall
      title={title}
      button="Ask for approval"
      locked={!found || wrong.size > 0}
      onClose={onClose}
      onDone={openTask}
      send={() => sendWish(app, { type, payload: { serviceId: service.id, ...(shown as object) }, reason }, key.value)}
    >
      <p>{text}</p>
      <QueryNote query={types.state.value} onRetry={types.reload} rows={2} />
      {types.state.value.data && !found && <p class="muted">No agent has registered {type} yet.</p>}
      {found && (
        <SchemaForm
          model={{
            ...{ id: "act", root: schema, value: shown },
            faults: findTypedFaults(shown, schema),
            set: (next) => (value.value = next),
          }}
          schema={schema}
        />
      )}
    </ConfirmCall>
  );
}

export function DeployDialog(props: ActProps) {
  const { name } = props.service;
  return (
    <TaskDialog
      {...props}
      type="render.deploy"
      title={`Deploy ${name}?`}
      text="This makes a task that waits for your approval; its page shows exactly what will be sent to Render."
      reason={`Deploy ${name}, asked for on the dashboard`}
    />
  );
}

export function RollbackDialog({ deployId, ...props }: ActProps & { deployId: string | null }) {
  const { name } = props.service;
  return (
    <TaskDialog
      {...props}
      type="render.rollback"
      title={`Roll ${name} back?`}
      text="Without a deploy it goes back to the last good one before the one that is live. The task waits for your approval."
      reason={`Roll ${name} back, asked for on the dashboard`}
      start={deployId === null ? {} : { deployId }}
    />
  );
}

type Row = { key: string; value: string };

/** Keys and new values. Values are written, never read: the answer and the task hold `[redacted]`. */
export function EnvDialog({ service, onClose }: ActProps) {
  const app = useApp();
  const key = useSignal(newKey());
  const rows = useSignal<readonly Row[]>([{ key: "", value: "" }]);
  const deploy = useSignal(true);
  const filled = rows.value.filter((row) => row.key.trim() !== "");
  const change = (index: number, next: Partial<Row>) => {
    rows.value = rows.value.map((row, at) => (at === index ? { ...row, ...next } : row));
  };
  const env = Object.fromEntries(filled.map((row) => [row.key.trim(), row.value]));
  const payload = { serviceId: service.id, env, deploy: deploy.value };
  const names = Object.keys(env).join(", ");
  return (
    <ConfirmCall
      title={`Change the environment of ${service.name}`}
      button="Ask for approval"
      wide
      locked={filled.length === 0}
      onClose={onClose}
      onDone={openTask}
      send={() => sendWish(app, { type: "render.env", payload, reason: `Set ${names} of ${service.name}` }, key.value)}
    >
      <p>Only the keys named here change. Values are kept encrypted and shown to nobody, not even to you.</p>
      <div class="field-list">
        {rows.value.map((row, index) => (
          <EnvRow key={index} index={index} row={row} onChange={(next) => change(index, next)} />
        ))}
      </div>
      <div class="actions">
        <button
          type="button"
          class="button"
          onClick={() => {
            rows.value = [...rows.value, { key: "", value: "" }];
          }}
        >
          Add a key
        </button>
        <FlagField
          id="env-deploy"
          label="Deploy afterwards, so that the service sees them"
          value={deploy.value}
          onValue={(next) => (deploy.value = next)}
        />
      </div>
    </ConfirmCall>
  );
}

function EnvRow({ index, row, onChange }: { index: number; row: Row; onChange: (next: Partial<Row>) => void }) {
  return (
    <div class="env-row">
      <div class="field">
        <label for={`env-key-${index}`}>Key</label>
        <input
          id={`env-key-${index}`}
          class="input mono"
          autocomplete="off"
          spellcheck={false}
          value={row.key}
          onInput={(event) => onChange({ key: event.currentTarget.value })}
        />
      </div>
      <div class="field">
        <label for={`env-value-${index}`}>New value</label>
        <input
          id={`env-value-${index}`}
          class="input mono"
          type="password"
          autocomplete="new-password"
          value={row.value}
          onInput={(event) => onChange({ value: event.currentTarget.value })}
        />
      </div>
    </div>
  );
}
