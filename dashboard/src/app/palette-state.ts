import { signal } from "@preact/signals";

export type Overlay = "palette" | "help";

/** Which of the page's own dialogs is open. Both are loaded when they are first asked for. */
export const overlay = signal<Overlay | null>(null);

/** What stands in the palette's box. What is typed while it opens is kept here too: fast hands lose no letter. */
export const paletteText = signal("");

export function openPalette(): void {
  paletteText.value = "";
  overlay.value = "palette";
}

/** A key that was pressed before the box was there to take it. */
export function typeAhead({ key, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  const isText = [...key].length === 1 && !ctrlKey && !metaKey && !altKey;
  if (overlay.peek() !== "palette" || !isText || document.querySelector("dialog[open]")) return false;
  paletteText.value += key;
  return true;
}

export function closeOverlay(): void {
  overlay.value = null;
}
