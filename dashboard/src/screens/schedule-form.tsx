import { type Signal, useSignal } from "@preact/signals";
import type { TaskType } from "@signalbox/common/contracts/agent.ts";
import type { Schedule } from "@signalbox/common/contracts/schedule.ts";
import { serverNow } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { useQuery } from "../app/query.ts";
import { type Foretold as Fires, foretell, type Timing } from "../domain/cron.ts";
import { describeCron } from "../domain/cron-words.ts";
import { initialValue, type Json } from "../domain/schema.ts";
import { findFaults } from "../domain/validate.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { TextField } from "../ui/field.tsx";
import { SchemaForm } from "../ui/form.tsx";
import { JsonArea } from "../ui/json-area.tsx";
import { QueryNote } from "../ui/parts.tsx";
import { toast } from "../ui/toast.tsx";
import { When } from "../ui/when.tsx";

type Kind = "cron" | "every" | "at";
type Draft = {
  name: string;
  kind: Kind;
  cron: string;
  everySeconds: string;
  at: string;
  timezone: string;
  missed: Schedule["missed"];
  type: string;
  payload: Json;
};

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";

function kindOf(schedule: Schedule): Kind {
  if (schedule.cron !== null) return "cron";
  return schedule.everySeconds === null ? "at" : "every";
}

const emptyDraft: Omit<Draft, "timezone"> = {
  name: "",
  kind: "cron",
  cron: "0 8 * * 1-5",
  everySeconds: "3600",
  at: "",
  missed: "skip",
  type: "",
  payload: undefined,
};

function toDraft(schedule: Schedule | null): Draft {
  if (!schedule) return { ...emptyDraft, timezone: ownZone() };
  return {
    ...emptyDraft,
    kind: kindOf(schedule),
    name: schedule.name,
    timezone: schedule.timezone,
    missed: schedule.missed,
    type: schedule.task.type,
    payload: schedule.task.payload ?? {},
    ...(schedule.cron !== null && { cron: schedule.cron }),
    ...(schedule.everySeconds !== null && { everySeconds: String(schedule.everySeconds) }),
    ...(schedule.at !== null && { at: schedule.at }),
  };
}

function toTiming(draft: Draft): Timing {
  const { kind, timezone } = draft;
  return {
    cron: kind === "cron" ? draft.cron : null,
    everySeconds: kind === "every" ? Number(draft.everySeconds) : null,
    at: kind === "at" ? draft.at : null,
    timezone,
  };
}

function toBody(draft: Draft, schedule: Schedule | null): object {
  const { name, missed, type, payload } = draft;
  const timing = Object.fromEntries(Object.entries(toTiming(draft)).filter(([, value]) => value !== null));
  return { name, missed, ...timing, task: { ...schedule?.task, type, payload: payload ?? {} } };
}

type DialogProps = { schedule: Schedule | null; onClose: () => void; onSaved: () => void };

export function ScheduleDialog({ schedule, onClose, onSaved }: DialogProps) {
  const app = useApp();
  const draft = useSignal(toDraft(schedule));
  const types = useQuery<{ items: TaskType[] }>("task types", (signal) =>
    app.rest.call("orchestrator", "/task-types", { signal }),
  );
  const listed = types.state.value.data?.items ?? [];
  const type = listed.find((item) => item.type === draft.value.type);
  const fires = foretell(toTiming(draft.value), serverNow(), 5);
  const faults = type?.payloadSchema ? findFaults(draft.value.payload ?? {}, type.payloadSchema) : new Map();
  const isReady =
    draft.value.name.trim() !== "" && draft.value.type !== "" && fires.kind !== "problem" && faults.size === 0;
  const path = schedule ? `/schedules/${schedule.id}` : "/schedules";
  return (
    <ConfirmCall
      title={schedule ? `Edit ${schedule.name}` : "New schedule"}
      button={schedule ? "Save the schedule" : "Make the schedule"}
      wide
      locked={!isReady}
      onClose={onClose}
      onDone={() => {
        toast("Saved");
        onSaved();
      }}
      send={() =>
        app.rest.call("orchestrator", path, {
          method: schedule ? "PATCH" : "POST",
          body: toBody(draft.value, schedule),
        })
      }
    >
      <QueryNote query={types.state.value} onRetry={types.reload} rows={2} />
      <div class="field-list dialog-scroll">
        <DraftField draft={draft} name="name" label="Name" />
        <TimingFields draft={draft} />
        <Foretold fires={fires} draft={draft.value} />
        <TaskFields draft={draft} types={listed} type={type} faults={faults} />
      </div>
    </ConfirmCall>
  );
}

type TextName = "name" | "cron" | "everySeconds" | "at" | "timezone";

function DraftField({ draft, name, label }: { draft: Signal<Draft>; name: TextName; label: string }) {
  return (
    <TextField
      id={`schedule-${name}`}
      label={label}
      mono={name !== "name"}
      value={draft.value[name]}
      onValue={(value) => (draft.value = { ...draft.peek(), [name]: value })}
    />
  );
}

const kinds: readonly [Kind, string][] = [
  ["cron", "Cron"],
  ["every", "Every so often"],
  ["at", "Once"],
];
const policies: readonly [Schedule["missed"], string][] = [
  ["skip", "leave them out"],
  ["once", "make up for once"],
  ["all", "make up for all"],
];

function TimingFields({ draft }: { draft: Signal<Draft> }) {
  const { kind, missed } = draft.value;
  return (
    <>
      <fieldset class="choice">
        <legend>When</legend>
        <div class="segments">
          {kinds.map(([name, words]) => (
            <button
              key={name}
              type="button"
              class="segment"
              aria-pressed={kind === name}
              onClick={() => {
                draft.value = { ...draft.peek(), kind: name };
              }}
            >
              {words}
            </button>
          ))}
        </div>
      </fieldset>
      <div class="field-columns field-list">
        {kind === "cron" && <DraftField draft={draft} name="cron" label="Min, hour, day, month, weekday" />}
        {kind === "cron" && <DraftField draft={draft} name="timezone" label="Time zone" />}
        {kind === "every" && <DraftField draft={draft} name="everySeconds" label="Seconds" />}
        {kind === "at" && <DraftField draft={draft} name="at" label="Instant, such as 2026-12-24T18:00:00Z" />}
        <div class="field">
          <label for="schedule-missed">Missed fires</label>
          <select
            id="schedule-missed"
            class="input"
            value={missed}
            onChange={(event) => {
              draft.value = { ...draft.peek(), missed: event.currentTarget.value as Schedule["missed"] };
            }}
          >
            {policies.map(([name, words]) => (
              <option key={name} value={name}>
                {words}
              </option>
            ))}
          </select>
        </div>
      </div>
    </>
  );
}

function Foretold({ fires, draft }: { fires: Fires; draft: Draft }) {
  if (fires.kind === "problem")
    return (
      <p class="field-fault" role="alert">
        {fires.text}
      </p>
    );
  if (fires.kind === "unknown")
    return <p class="field-help">Only the scheduler reads this; its next fire is shown once it is saved.</p>;
  const words = draft.kind === "cron" ? describeCron(draft.cron) : null;
  return (
    <div class="foretold">
      <p>
        <strong>{words ? `${words}. ` : ""}</strong>Its next fires:
      </p>
      <ol class="fires">
        {fires.at.map((at) => (
          <li key={at}>
            <When at={at} form="date-time" />
          </li>
        ))}
      </ol>
    </div>
  );
}

type TaskFieldsProps = {
  draft: Signal<Draft>;
  types: readonly TaskType[];
  type: TaskType | undefined;
  faults: ReadonlyMap<string, string>;
};

function TaskFields({ draft, types, type, faults }: TaskFieldsProps) {
  const set = (payload: Json) => {
    draft.value = { ...draft.peek(), payload };
  };
  const choose = (name: string) => {
    const schema = types.find((item) => item.type === name)?.payloadSchema ?? {};
    draft.value = { ...draft.peek(), type: name, payload: initialValue(schema, schema) ?? {} };
  };
  return (
    <>
      <div class="field">
        <label for="schedule-type">Task type</label>
        <select
          id="schedule-type"
          class="input"
          value={draft.value.type}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          <option value="">Choose a type</option>
          {types.map((item) => (
            <option key={item.type} value={item.type}>
              {item.type}
            </option>
          ))}
        </select>
      </div>
      {type?.payloadSchema && (
        <SchemaForm
          model={{ id: "schedule-payload", root: type.payloadSchema, value: draft.value.payload, faults, set }}
          schema={type.payloadSchema}
        />
      )}
      {type && !type.payloadSchema && (
        <div class="field">
          <label for="schedule-payload">Payload</label>
          <JsonArea id="schedule-payload" rows={5} value={draft.value.payload} onValue={set} />
        </div>
      )}
    </>
  );
}
