import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import {
  type Field,
  initialGroup,
  initialValue,
  isObject,
  type Json,
  type Path,
  type Schema,
  toField,
  toPointer,
  type Variant,
  valueAt,
  withValueAt,
} from "../domain/schema.ts";
import { type Faults, findFaults } from "../domain/validate.ts";
import { JsonArea } from "./json-area.tsx";

/** A form over one JSON value: every field reads its place and writes a whole new value. */
export type FormModel = { id: string; root: Schema; value: Json; faults: Faults; set: (value: Json) => void };
type FieldProps<F extends Field = Field> = { model: FormModel; field: F; path: Path; name: string; required: boolean };

const idOf = (model: FormModel, path: Path) => `${model.id}${toPointer(path).replaceAll("/", "-")}`;

export function SchemaForm({ model, schema }: { model: FormModel; schema: Schema }) {
  return <SchemaField model={model} schema={schema} path={[]} name="" required />;
}

function SchemaField({
  model,
  schema,
  path,
  name,
  required,
}: {
  model: FormModel;
  schema: Schema;
  path: Path;
  name: string;
  required: boolean;
}) {
  const field = toField(schema, model.root);
  return <AnyField model={model} field={field} path={path} name={name} required={required} />;
}

function AnyField(props: FieldProps) {
  const { field } = props;
  switch (field.kind) {
    case "text":
      return <TextField {...props} field={field} />;
    case "number":
      return <NumberField {...props} field={field} />;
    case "flag":
      return <FlagField {...props} field={field} />;
    case "choice":
      return <ChoiceField {...props} field={field} />;
    case "list":
      return <ListField {...props} field={field} />;
    case "group":
      return <GroupField {...props} field={field} />;
    case "variant":
      return <VariantField {...props} field={field} />;
    default:
      return <JsonField {...props} field={field} />;
  }
}

function put(model: FormModel, path: Path, next: Json): void {
  model.set(withValueAt(model.value, path, next));
}

/** Label, help and fault around one control; the fault is what the control is described by. */
function Labelled({ model, field, path, name, required, children }: FieldProps & { children: ComponentChildren }) {
  const id = idOf(model, path);
  const fault = model.faults.get(toPointer(path));
  return (
    <div class={fault ? "field field-faulty" : "field"}>
      <label for={id}>
        {field.title ?? name}
        {!required && <span class="field-optional"> optional</span>}
      </label>
      {children}
      {field.description && <p class="field-help">{field.description}</p>}
      {fault && (
        <p class="field-fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}

function describe(model: FormModel, path: Path) {
  const id = idOf(model, path);
  const isFaulty = model.faults.has(toPointer(path));
  return { id, "aria-invalid": isFaulty, "aria-describedby": isFaulty ? `${id}-fault` : undefined };
}

const inputTypes = {
  text: "text",
  "date-time": "text",
  date: "date",
  email: "email",
  uri: "url",
  secret: "password",
  long: "text",
} as const;

/** Preact's types tie `role` to one literal `type` each; these inputs set no role, so any may count as plain text. */
function typeOf(input: (Field & { kind: "text" })["input"]): "text" {
  return inputTypes[input] as "text";
}

function TextField(props: FieldProps<Field & { kind: "text" }>) {
  const { model, field, path, required } = props;
  const held = valueAt(model.value, path);
  const shared = {
    ...describe(model, path),
    class: field.input === "long" ? "input input-area" : "input",
    value: typeof held === "string" ? held : "",
    placeholder: field.example ?? (field.input === "date-time" ? "2026-11-21T12:00:00Z" : undefined),
    autocomplete: field.input === "secret" ? "new-password" : "off",
    spellcheck: field.input === "long",
  } as const;
  const change = (text: string) => put(model, path, text === "" && !required ? undefined : text);
  return (
    <Labelled {...props}>
      {field.input === "long" ? (
        <textarea rows={4} {...shared} onInput={(event) => change(event.currentTarget.value)} />
      ) : (
        <input type={typeOf(field.input)} {...shared} onInput={(event) => change(event.currentTarget.value)} />
      )}
    </Labelled>
  );
}

function NumberField(props: FieldProps<Field & { kind: "number" }>) {
  const { model, field, path } = props;
  const held = valueAt(model.value, path);
  const change = (text: string) => {
    const number = Number(text);
    put(model, path, text.trim() === "" || Number.isNaN(number) ? undefined : number);
  };
  return (
    <Labelled {...props}>
      <input
        {...describe(model, path)}
        class="input input-number"
        type="number"
        step={field.integer ? 1 : "any"}
        min={field.minimum ?? undefined}
        max={field.maximum ?? undefined}
        value={typeof held === "number" ? held : ""}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </Labelled>
  );
}

function FlagField({ model, field, path, name }: FieldProps<Field & { kind: "flag" }>) {
  const { id, ...aria } = describe(model, path);
  return (
    <div class="field field-flag">
      <input
        {...aria}
        id={id}
        type="checkbox"
        checked={valueAt(model.value, path) === true}
        onChange={(event) => put(model, path, event.currentTarget.checked)}
      />
      <label for={id}>{field.title ?? name}</label>
      {field.description && <p class="field-help">{field.description}</p>}
    </div>
  );
}

function ChoiceField(props: FieldProps<Field & { kind: "choice" }>) {
  const { model, field, path, required } = props;
  const held = valueAt(model.value, path);
  const index = field.options.findIndex((option) => JSON.stringify(option) === JSON.stringify(held));
  return (
    <Labelled {...props}>
      <select
        {...describe(model, path)}
        class="input"
        value={String(index)}
        onChange={(event) => put(model, path, field.options[Number(event.currentTarget.value)])}
      >
        {(index === -1 || !required) && <option value="-1">{required ? "Choose…" : "not set"}</option>}
        {field.options.map((option, number) => (
          <option key={String(option)} value={String(number)}>
            {typeof option === "string" ? option : JSON.stringify(option)}
          </option>
        ))}
      </select>
    </Labelled>
  );
}

function ListField({ model, field, path, name }: FieldProps<Field & { kind: "list" }>) {
  const held = valueAt(model.value, path);
  const items = Array.isArray(held) ? held : [];
  const fault = model.faults.get(toPointer(path));
  const add = () =>
    put(model, [...path, items.length], initialValue(field.item, model.root) ?? emptyOf(field.item, model.root));
  return (
    <fieldset class="field-group">
      <legend>{field.title ?? name}</legend>
      {field.description && <p class="field-help">{field.description}</p>}
      {items.map((_, index) => (
        <div class="field-item" key={index}>
          <SchemaField model={model} schema={field.item} path={[...path, index]} name={`${index + 1}`} required />
          <button
            type="button"
            class="button button-quiet"
            aria-label={`Remove item ${index + 1}`}
            onClick={() => put(model, [...path, index], undefined)}
          >
            Remove
          </button>
        </div>
      ))}
      {fault && <p class="field-fault">{fault}</p>}
      <button
        type="button"
        class="button"
        onClick={add}
        disabled={items.length >= (field.maxItems ?? Number.POSITIVE_INFINITY)}
      >
        Add {field.title ?? name}
      </button>
    </fieldset>
  );
}

/** What a new item of a list starts as, where its schema gives no default: `undefined` cannot stand in a list. */
function emptyOf(schema: Schema, root: Schema): Json {
  const { kind } = toField(schema, root);
  if (kind === "text") return "";
  if (kind === "flag") return false;
  return kind === "list" ? [] : null;
}

function GroupField({ model, field, path, name, required }: FieldProps<Field & { kind: "group" }>) {
  const isRoot = path.length === 0;
  const isSet = isRoot || required || isObject(valueAt(model.value, path));
  const content = isSet ? <GroupFields model={model} field={field} path={path} /> : null;
  const fault = model.faults.get(toPointer(path));
  if (isRoot) return <div class="field-list">{content}</div>;
  return (
    <fieldset class="field-group">
      <legend>
        {field.title ?? name}
        {!required && <span class="field-optional"> optional</span>}
      </legend>
      {field.description && <p class="field-help">{field.description}</p>}
      {content}
      {fault && <p class="field-fault">{fault}</p>}
      {!required && (
        <button
          type="button"
          class="button button-quiet"
          onClick={() => put(model, path, isSet ? undefined : initialGroup(field.properties, model.root))}
        >
          {isSet ? "Leave out" : `Set ${field.title ?? name}`}
        </button>
      )}
    </fieldset>
  );
}

type Group = Field & { kind: "group" };

function GroupFields({ model, field, path }: { model: FormModel; field: Group; path: Path }) {
  return (
    <>
      {field.properties.map(({ name, schema, required }) => (
        <SchemaField key={name} model={model} schema={schema} path={[...path, name]} name={name} required={required} />
      ))}
      {field.open && <OtherFields model={model} field={field} path={path} />}
    </>
  );
}

/** The members that an object may have beyond those its schema names, as one JSON object. */
function OtherFields({ model, field, path }: { model: FormModel; field: Group; path: Path }) {
  const named = new Set(field.properties.map(({ name }) => name));
  const held = valueAt(model.value, path);
  const entries = Object.entries(isObject(held) ? held : {});
  const others = entries.filter(([name]) => !named.has(name));
  const set = (next: Json) => {
    const own = Object.fromEntries(entries.filter(([name]) => named.has(name)));
    put(model, path, { ...own, ...(isObject(next) ? next : {}) });
  };
  const id = `${idOf(model, path)}-others`;
  return (
    <div class="field field-whole">
      <label for={id}>
        Other fields<span class="field-optional"> optional, as JSON</span>
      </label>
      <JsonArea id={id} rows={3} value={others.length > 0 ? Object.fromEntries(others) : undefined} onValue={set} />
    </div>
  );
}

function bestVariant(variants: readonly Variant[], value: Json): number {
  const fitting = variants.findIndex(({ schema }) => findFaults(value, schema).size === 0);
  return Math.max(0, fitting);
}

function VariantField(props: FieldProps<Field & { kind: "variant" }>) {
  const { model, field, path, name, required } = props;
  const chosen = useSignal(bestVariant(field.variants, valueAt(model.value, path)));
  const variant = field.variants[chosen.value];
  const choose = (index: number) => {
    chosen.value = index;
    const schema = field.variants[index]?.schema ?? {};
    put(model, path, initialValue(schema, model.root));
  };
  const id = `${idOf(model, path)}-form`;
  return (
    <fieldset class="field-group">
      <legend>{field.title ?? (name || "Form")}</legend>
      <div class="field">
        <label for={id}>Kind</label>
        <select
          id={id}
          class="input"
          value={String(chosen.value)}
          onChange={(event) => choose(Number(event.currentTarget.value))}
        >
          {field.variants.map(({ label }, index) => (
            <option key={label} value={String(index)}>
              {label}
            </option>
          ))}
        </select>
      </div>
      {variant && (
        <SchemaField
          key={variant.label}
          model={model}
          schema={variant.schema}
          path={path}
          name={name}
          required={required}
        />
      )}
    </fieldset>
  );
}

function JsonField(props: FieldProps) {
  const { model, path } = props;
  return (
    <Labelled {...props}>
      <JsonArea
        {...describe(model, path)}
        value={valueAt(model.value, path)}
        onValue={(value) => put(model, path, value)}
        rows={3}
      />
    </Labelled>
  );
}
