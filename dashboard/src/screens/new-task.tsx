import { type Signal, useSignal } from "@preact/signals";
import type { TaskType } from "@signalbox/common/contracts/agent.ts";
import { nowMs } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { search, setParam } from "../app/router.ts";
import { toCurl } from "../domain/curl.ts";
import type { Schema } from "../domain/schema.ts";
import { optionsSchema } from "../domain/task-options.ts";
import { countOf, shortId } from "../domain/words.ts";
import { SchemaForm } from "../ui/form.tsx";
import { JsonArea } from "../ui/json-area.tsx";
import { Empty, Note, PageHead, Panel, QueryNote } from "../ui/parts.tsx";
import { LampWord } from "../ui/status.tsx";
import { CopyButton } from "../ui/toast.tsx";
import { type Draft, faultsUnder, type NewTask, useNewTask } from "./new-task-model.ts";

export function NewTaskScreen() {
  const model = useNewTask();
  const state = model.types.state.value;
  const from = search.value.get("from");
  return (
    <>
      <PageHead title="New task">
        {from ? (
          <>
            With the payload of <a href={`/tasks/${from}`}>task {shortId(from)}</a>, to be changed.
          </>
        ) : (
          "Choose what should be done; an agent that takes this type does it."
        )}
      </PageHead>
      <QueryNote query={state} onRetry={model.types.reload} rows={6} />
      {state.data?.items.length === 0 && <NoTypes />}
      {state.data && state.data.items.length > 0 && <NewTaskForm model={model} types={state.data.items} />}
    </>
  );
}

function NoTypes() {
  return (
    <Empty title="No agent has registered a task type yet">
      <p>
        An agent tells the orchestrator which types it takes as soon as it starts. <a href="/config">Config health</a>{" "}
        shows which services run.
      </p>
    </Empty>
  );
}

function NewTaskForm({ model, types }: { model: NewTask; types: readonly TaskType[] }) {
  const wanted = search.value.get("type");
  return (
    <form
      class="new-task"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        model.submit();
      }}
    >
      <TypeList types={types} chosen={model.type?.type ?? wanted} />
      <div class="new-task-main">
        {!model.type && (
          <Note lamp="warn">
            No agent has ever registered the type <strong>{wanted}</strong>. Choose one of the list.
          </Note>
        )}
        {model.type && <PayloadPanel type={model.type} draft={model.draft} />}
        {model.type && <OptionsPanel draft={model.draft} />}
        {model.type && <Submit model={model} type={model.type} />}
      </div>
    </form>
  );
}

function TypeList({ types, chosen }: { types: readonly TaskType[]; chosen: string | null }) {
  return (
    <fieldset class="panel types">
      <legend class="types-legend">
        Type <span class="muted">{countOf(types.length, "type")}</span>
      </legend>
      {types.map((type) => (
        <label key={type.type} class="type">
          <input type="radio" name="type" checked={type.type === chosen} onChange={() => setParam("type", type.type)} />
          <span class="type-text">
            <span class="type-name">{type.type}</span>
            {type.description && <span class="type-note">{type.description}</span>}
            {!type.live && <LampWord lamp="warn">no live agent: it will wait</LampWord>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

type View = "form" | "json";

function PayloadPanel({ type, draft }: { type: TaskType; draft: Signal<Draft> }) {
  const schema = type.payloadSchema;
  const view = useSignal<View>("form");
  const isJson = schema === null || view.value === "json";
  return (
    <Panel title="Payload" meta={schema === null ? "this type describes no fields" : <ViewSwitch view={view} />}>
      <div class="panel-body">
        {isJson || schema === null ? (
          <PayloadJson draft={draft} />
        ) : (
          <PayloadFields key={type.type} schema={schema} draft={draft} />
        )}
      </div>
    </Panel>
  );
}

function ViewSwitch({ view }: { view: Signal<View> }) {
  return (
    <span class="segments">
      {(["form", "json"] as const).map((name) => (
        <button
          key={name}
          type="button"
          class="segment"
          aria-pressed={view.value === name}
          onClick={() => {
            view.value = name;
          }}
        >
          {name === "form" ? "Form" : "JSON"}
        </button>
      ))}
    </span>
  );
}

function PayloadFields({ schema, draft }: { schema: Schema; draft: Signal<Draft> }) {
  const faults = faultsUnder(draft.value.faults, "/payload");
  const set = (payload: unknown) => {
    draft.value = { ...draft.peek(), payload };
  };
  return (
    <SchemaForm model={{ id: "payload", root: schema, value: draft.value.payload, faults, set }} schema={schema} />
  );
}

function PayloadJson({ draft }: { draft: Signal<Draft> }) {
  const faults = faultsUnder(draft.value.faults, "/payload");
  return (
    <div class="field">
      <label for="payload-json">JSON</label>
      <JsonArea
        id="payload-json"
        rows={12}
        value={draft.value.payload}
        aria-invalid={faults.size > 0}
        onValue={(payload) => {
          draft.value = { ...draft.peek(), payload };
        }}
      />
      {[...faults].map(([pointer, message]) => (
        <p key={pointer} class="field-fault">
          <span class="mono">{pointer || "/"}</span> {message}
        </p>
      ))}
    </div>
  );
}

function OptionsPanel({ draft }: { draft: Signal<Draft> }) {
  const { options, faults } = draft.value;
  const set = (next: unknown) => {
    draft.value = { ...draft.peek(), options: next };
  };
  const own = new Map([...faults].filter(([pointer]) => !pointer.startsWith("/payload")));
  return (
    <details class="panel options" open={own.size > 0}>
      <summary>Options: when, how often, in which order, with whose approval</summary>
      <div class="panel-body field-columns">
        <SchemaForm
          model={{ id: "options", root: optionsSchema, value: options, faults: own, set }}
          schema={optionsSchema}
        />
      </div>
    </details>
  );
}

function Submit({ model, type }: { model: NewTask; type: TaskType }) {
  const app = useApp();
  const { draft, busy, blockedUntilMs } = model;
  // Read so that the seconds of a wait count down.
  nowMs.value;
  const waitSeconds = Math.ceil((blockedUntilMs.value - Date.now()) / 1000);
  const body = { type: type.type, payload: draft.value.payload ?? {}, ...(draft.value.options as object) };
  const words = waitSeconds > 0 ? `Wait ${waitSeconds} s` : busy.value ? "Sending…" : `Start ${type.type}`;
  return (
    <div class="new-task-end">
      {draft.value.problems.length > 0 && (
        <Note lamp="failed">
          <p>
            <strong>{draft.value.problems[0]}</strong>
          </p>
          {draft.value.problems.slice(1).map((problem) => (
            <p key={problem}>{problem}</p>
          ))}
        </Note>
      )}
      <div class="actions">
        <button type="submit" class="button button-primary" disabled={busy.value || waitSeconds > 0}>
          {words}
        </button>
        <CopyButton
          text={toCurl({ method: "POST", url: app.rest.urlOf("orchestrator", "/task") ?? "", body })}
          what="Command"
        >
          Copy as curl
        </CopyButton>
      </div>
    </div>
  );
}
