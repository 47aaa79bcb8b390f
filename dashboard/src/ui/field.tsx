import type { ComponentChildren } from "preact";

type TextFieldProps = {
  id: string;
  label: ComponentChildren;
  value: string;
  onValue: (value: string) => void;
  type?: "text" | "number";
  /** For names, addresses and times: nothing that a browser could spell or complete. */
  mono?: boolean;
  maxLength?: number;
  placeholder?: string;
  help?: string;
};

export function TextField({ id, label, value, onValue, type = "text", mono, help, ...more }: TextFieldProps) {
  const exact = mono ? { class: "input mono", spellcheck: false, autocomplete: "off" } : { class: "input" };
  const helpId = help && `${id}-help`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...{ id, value, ...exact, ...more }}
        type={type as "text"}
        aria-describedby={helpId}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      {help && (
        <p class="field-help" id={helpId}>
          {help}
        </p>
      )}
    </div>
  );
}

type FlagFieldProps = { id: string; label: string; value: boolean; onValue: (value: boolean) => void };

export function FlagField({ id, label, value, onValue }: FlagFieldProps) {
  return (
    <span class="field field-flag">
      <input id={id} type="checkbox" checked={value} onChange={(event) => onValue(event.currentTarget.checked)} />
      <label for={id}>{label}</label>
    </span>
  );
}

type ToggleProps = { pressed: boolean; onPress: () => void; children: ComponentChildren };

/** One of several buttons that stay pressed. */
export function Toggle({ pressed, onPress, children }: ToggleProps) {
  return (
    <button type="button" class="toggle" aria-pressed={pressed} onClick={onPress}>
      {children}
    </button>
  );
}
