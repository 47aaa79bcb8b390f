import { effect, type Signal, signal } from "@preact/signals";
import type { Zone } from "../domain/time.ts";

export type Theme = "system" | "light" | "dark";
export type Density = "regular" | "compact";

/** What a person chose for this browser; nothing here is secret or shared. */
export type Settings = {
  theme: Signal<Theme>;
  zone: Signal<Zone>;
  density: Signal<Density>;
  singleKeys: Signal<boolean>;
};

const STORAGE_KEY = "signalbox.settings";

function readStored(): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function pick<T extends string>(value: unknown, words: readonly [T, ...T[]]): T {
  return words.find((word) => word === value) ?? words[0];
}

const stored = readStored();

export const settings: Settings = {
  theme: signal(pick<Theme>(stored.theme, ["system", "light", "dark"])),
  zone: signal(pick<Zone>(stored.zone, ["local", "utc"])),
  density: signal(pick<Density>(stored.density, ["regular", "compact"])),
  singleKeys: signal(stored.singleKeys !== false),
};

/** Shows the choices on the document and keeps them; sign-out empties the storage, the open page keeps its look. */
export function startSettings(): void {
  effect(() => {
    const { theme, density } = settings;
    document.documentElement.dataset.theme = theme.value;
    document.documentElement.dataset.density = density.value;
  });
  let first = true;
  effect(() => {
    const value = {
      theme: settings.theme.value,
      zone: settings.zone.value,
      density: settings.density.value,
      singleKeys: settings.singleKeys.value,
    };
    if (!first) localStorage.setItem(STORAGE_KEY, JSON.stringify(value));
    first = false;
  });
}
