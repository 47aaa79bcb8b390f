import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Dialog } from "../ui/dialog.tsx";
import { type Command, findCommands } from "./commands.ts";
import { useApp } from "./context.ts";
import { closeOverlay, paletteText } from "./palette-state.ts";

// A list whose focus stays in the box above it: the roles say so to screen readers.
const asCombobox = { role: "combobox", "aria-expanded": true, "aria-controls": "palette-list" } as const;
const asListbox = { role: "listbox", "aria-label": "Results" } as const;
const asOption = (isActive: boolean) => ({ role: "option", "aria-selected": isActive, tabIndex: -1 }) as const;

export function Palette() {
  const app = useApp();
  const active = useSignal(0);
  const commands = findCommands(app, paletteText.value);
  const run = (command: Command | undefined) => {
    if (!command) return;
    closeOverlay();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (event.key === "Enter") run(commands[active.value]);
    if (step !== 0) active.value = (active.value + step + commands.length) % Math.max(1, commands.length);
    if (event.key === "Enter" || step !== 0) event.preventDefault();
  };
  return (
    <Dialog title="Search or run a command" class="palette" onClose={closeOverlay} bare>
      <input
        {...asCombobox}
        class="palette-box"
        aria-label="Search or run a command"
        aria-activedescendant={commands[active.value] ? `command-${active.value}` : undefined}
        placeholder="A screen, a command, a pasted id, or words to search for"
        spellcheck={false}
        autocomplete="off"
        value={paletteText.value}
        onInput={(event) => {
          paletteText.value = event.currentTarget.value;
          active.value = 0;
        }}
        onKeyDown={onKeyDown}
      />
      <CommandList commands={commands} active={active.value} onRun={run} onPoint={(index) => (active.value = index)} />
    </Dialog>
  );
}

type CommandListProps = {
  commands: readonly Command[];
  active: number;
  onRun: (command: Command) => void;
  onPoint: (index: number) => void;
};

function CommandList({ commands, active, onRun, onPoint }: CommandListProps) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [active]);
  return (
    <div {...asListbox} class="palette-list" id="palette-list" ref={list}>
      {commands.map((command, index) => (
        <button
          type="button"
          {...asOption(index === active)}
          key={command.id}
          id={`command-${index}`}
          class="palette-item"
          onClick={() => onRun(command)}
          onPointerMove={() => onPoint(index)}
        >
          <span>{command.words}</span>
          <span class="palette-hint">{command.hint}</span>
        </button>
      ))}
    </div>
  );
}
