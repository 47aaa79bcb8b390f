import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

type DialogProps = { title: string; onClose: () => void; children: ComponentChildren; class?: string; bare?: boolean };

/** The browser's own modal dialog: it keeps the focus inside, gives it back, and closes with Esc. */
export function Dialog({ title, onClose, children, class: name = "", bare = false }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  const closeOutside = (event: MouseEvent) => {
    if (event.target === element.current) onClose();
  };
  const cancel = (event: Event) => {
    event.preventDefault();
    onClose();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click on the backdrop repeats what Esc does
    <dialog ref={element} class={`dialog ${name}`} aria-label={title} onCancel={cancel} onClick={closeOutside}>
      {!bare && <h2 class="dialog-title">{title}</h2>}
      {children}
    </dialog>
  );
}

export function DialogActions({ onClose, children }: { onClose: () => void; children: ComponentChildren }) {
  return (
    <div class="dialog-actions">
      <button type="button" class="button" onClick={onClose}>
        Close
      </button>
      {children}
    </div>
  );
}
