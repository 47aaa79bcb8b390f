import { signal } from "@preact/signals";

const shown = signal<{ id: number; text: string } | null>(null);
const SHOWN_MS = 3_000;
let count = 0;

/** Says in passing that something was done; whatever must not be missed is written on the page instead. */
export function toast(text: string): void {
  const id = ++count;
  shown.value = { id, text };
  setTimeout(() => {
    if (shown.peek()?.id === id) shown.value = null;
  }, SHOWN_MS);
}

export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast(`The browser did not allow copying ${what.toLowerCase()}`);
  }
}

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {shown.value && <div class="toast">{shown.value.text}</div>}
    </div>
  );
}

export function CopyButton({ text, what, children }: { text: string; what: string; children?: string }) {
  return (
    <button
      type="button"
      class="button button-quiet"
      onClick={() => void copyText(text, what)}
      title={`Copy ${what.toLowerCase()}`}
    >
      {children ?? "Copy"}
    </button>
  );
}
