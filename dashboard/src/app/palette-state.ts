import { signal } from "@preact/signals";

export type Overlay = "palette" | "help";

/** Which of the page's own dialogs is open. Both are loaded when they are first asked for. */
export const overlay = signal<Overlay | null>(null);

export function openPalette(): void {
  overlay.value = "palette";
}

export function closeOverlay(): void {
  overlay.value = null;
}
