import { useSignal } from "@preact/signals";
import type { Json } from "../domain/schema.ts";

type JsonAreaProps = {
  id: string;
  value: Json;
  onValue: (value: Json) => void;
  rows: number;
  "aria-invalid"?: boolean;
  "aria-describedby"?: string;
};

/** JSON as text. What does not parse stays in the box and is said; the value keeps what it was. */
export function JsonArea({ value, onValue, rows, ...aria }: JsonAreaProps) {
  const typed = useSignal<string | null>(null);
  const problem = useSignal<string | null>(null);
  const change = (text: string) => {
    typed.value = text;
    try {
      onValue(text.trim() === "" ? undefined : JSON.parse(text));
      problem.value = null;
    } catch (error) {
      problem.value = error instanceof Error ? error.message : "This is not JSON.";
    }
  };
  return (
    <>
      <textarea
        {...aria}
        class="input input-area mono"
        rows={rows}
        spellcheck={false}
        value={typed.value ?? (value === undefined ? "" : JSON.stringify(value, null, 2))}
        onInput={(event) => change(event.currentTarget.value)}
        onBlur={() => {
          if (problem.value === null) typed.value = null;
        }}
      />
      {problem.value && <p class="field-fault">Not JSON yet: {problem.value}</p>}
    </>
  );
}
