import { Dialog } from "../ui/dialog.tsx";
import { type Binding, currentBindings } from "./keys.ts";
import { closeOverlay } from "./palette-state.ts";
import { settings } from "./settings.ts";

function Keys({ keys }: { keys: string }) {
  return (
    <span class="help-keys">
      {keys.split(/[ +]/).map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </span>
  );
}

function KeyTable({ title, bindings }: { title: string; bindings: readonly Binding[] }) {
  if (bindings.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <dl class="help-list">
        {bindings.map(({ keys, words }) => (
          <div key={keys + words}>
            <dt>
              <Keys keys={keys} />
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function Help() {
  const all = currentBindings();
  const palette: Binding = {
    keys: "Ctrl+K",
    words: "Search, commands, pasted ids (⌘ K on a Mac)",
    run: closeOverlay,
    scope: "everywhere",
  };
  return (
    <Dialog title="Keyboard shortcuts" onClose={closeOverlay} class="help">
      {!settings.singleKeys.value && <p>Single keys are switched off in the settings; only Ctrl K works.</p>}
      <div class="help-columns">
        <KeyTable title="On this screen" bindings={all.filter(({ scope }) => scope === "here")} />
        <KeyTable title="Everywhere" bindings={[palette, ...all.filter(({ scope }) => scope === "everywhere")]} />
      </div>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={closeOverlay}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
