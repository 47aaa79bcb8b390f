import { useEffect } from "preact/hooks";
import { overlay } from "./palette-state.ts";
import { settings } from "./settings.ts";

/*
 * One listener for the page. A binding is a key (`j`, `?`, `Shift+C`) or two in a row (`g o`). Keys are inert in fields and while
 * a dialog is open, and never do what cannot be undone: at most they open its confirmation.
 */

export type Binding = { keys: string; words: string; run: () => void; scope: "everywhere" | "here" };

const bindings: Binding[] = [];
let prefix: { key: string; untilMs: number } | null = null;
const PREFIX_MS = 1_500;

export function currentBindings(): readonly Binding[] {
  return bindings;
}

function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("input:not([type=checkbox],[type=radio]), textarea, select");
}

function nameOf(event: KeyboardEvent): string {
  if (event.key === " ") return "Space";
  const isLetter = /^[a-z]$/i.test(event.key);
  return event.shiftKey && isLetter ? `Shift+${event.key.toUpperCase()}` : event.key;
}

/** Space and Enter belong to whatever control has the focus. */
function isTaken(name: string, target: EventTarget | null): boolean {
  const isPress = name === "Space" || name === "Enter";
  return isPress && target instanceof HTMLElement && target.matches("button, a, summary, input, [role=button]");
}

/** A dialog is open, or about to be. */
function isCovered(): boolean {
  return overlay.peek() !== null || document.querySelector("dialog[open]") !== null;
}

function isInert(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  return !settings.singleKeys.peek() || isField(event.target) || isCovered();
}

function findBinding(name: string): Binding | undefined {
  const combined = prefix && prefix.untilMs > Date.now() ? `${prefix.key} ${name}` : name;
  // The newest registration wins, so that a screen's own key shadows a general one.
  return bindings.findLast(({ keys }) => keys === combined);
}

function press(event: KeyboardEvent): void {
  if (isInert(event)) return;
  const name = nameOf(event);
  const binding = findBinding(name);
  const opens = !binding && bindings.some(({ keys }) => keys.startsWith(`${name} `));
  prefix = opens ? { key: name, untilMs: Date.now() + PREFIX_MS } : null;
  if (!binding || isTaken(name, event.target)) return;
  event.preventDefault();
  binding.run();
}

export function startKeys(): void {
  document.addEventListener("keydown", press);
}

export function bindKeys(added: readonly Binding[]): () => void {
  bindings.push(...added);
  return () => {
    for (const binding of added) {
      const index = bindings.indexOf(binding);
      if (index !== -1) bindings.splice(index, 1);
    }
  };
}

/** A screen's own keys, for as long as it is shown. */
export function useKeys(keys: Readonly<Record<string, [words: string, run: () => void]>>): void {
  useEffect(() => {
    const added = Object.entries(keys).map(([name, [words, run]]) => ({
      keys: name,
      words,
      run,
      scope: "here" as const,
    }));
    return bindKeys(added);
  });
}
