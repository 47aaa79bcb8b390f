import { findId } from "../domain/ids.ts";
import { copyText } from "../ui/toast.tsx";
import type { App } from "./context.ts";
import { type Binding, bindKeys } from "./keys.ts";
import { closeOverlay, openPalette, overlay, typeAhead } from "./palette-state.ts";
import { navigate } from "./router.ts";
import { screens } from "./routes.ts";
import { settings } from "./settings.ts";

export type Command = { id: string; words: string; hint: string; run: () => void };

const go = (to: string) => () => navigate(to);

function copyLink(): void {
  void copyText(location.href, "Link");
}

function screenCommands(): Command[] {
  return screens
    .filter(({ group }) => group !== null)
    .map(({ path, name, keys }) => ({ id: path, words: name, hint: keys ?? "screen", run: go(path) }));
}

function pageCommands(app: App): Command[] {
  const dark = settings.theme.peek() === "dark";
  return [
    {
      id: "theme",
      words: dark ? "Light theme" : "Dark theme",
      hint: "look",
      run: () => (settings.theme.value = dark ? "light" : "dark"),
    },
    { id: "link", words: "Copy the link to this view", hint: "y", run: copyLink },
    { id: "keys", words: "Keyboard shortcuts", hint: "?", run: () => (overlay.value = "help") },
    { id: "reconnect", words: "Reconnect the live stream", hint: "connection", run: () => app.stream.start() },
    { id: "sign-out", words: "Sign out", hint: "session", run: () => app.signOut() },
  ];
}

/** What a pasted id can lead to: the page cannot know whose id it is, so it offers each reading. */
function idCommands(text: string): Command[] {
  const found = findId(text);
  if (!found) return [];
  if (found.kind === "uuid") {
    return [
      { id: "id-task", words: `Open task ${found.id}`, hint: "task", run: go(`/tasks/${found.id}`) },
      { id: "id-logs", words: "Logs of this task", hint: "logs", run: go(`/logs?taskId=${found.id}`) },
      { id: "id-finding", words: "Open finding", hint: "finding", run: go(`/findings/${found.id}`) },
      { id: "id-delivery", words: "Open delivery", hint: "delivery", run: go(`/deliveries?sel=${found.id}`) },
      { id: "id-children", words: "Tasks it started", hint: "tasks", run: go(`/tasks?parentId=${found.id}`) },
    ];
  }
  return [
    { id: "trace", words: `Open trace ${found.id}`, hint: "trace", run: go(`/trace/${found.id}`) },
    { id: "trace-tasks", words: `Tasks of trace ${found.id}`, hint: "tasks", run: go(`/tasks?traceId=${found.id}`) },
    { id: "trace-logs", words: "Logs of this trace", hint: "logs", run: go(`/logs?traceId=${found.id}`) },
  ];
}

function searchCommands(text: string): Command[] {
  const query = new URLSearchParams({ q: text });
  return [
    { id: "search-tasks", words: `Search tasks for “${text}”`, hint: "tasks", run: go(`/tasks?${query}`) },
    { id: "search-logs", words: `Search logs for “${text}”`, hint: "logs", run: go(`/logs?${query}`) },
  ];
}

export function findCommands(app: App, text: string): Command[] {
  const wanted = text.trim().toLowerCase();
  const all = [...screenCommands(), ...pageCommands(app)];
  if (wanted === "") return all;
  const byId = idCommands(wanted);
  if (byId.length > 0) return byId;
  return [...all.filter(({ words }) => words.toLowerCase().includes(wanted)), ...searchCommands(text.trim())];
}

/** The keys that work on every screen. */
export function bindGlobalKeys(): () => void {
  const toScreens = screens.flatMap(({ keys, name, path }) =>
    keys ? [{ keys, words: name, run: go(path), scope: "everywhere" as const }] : [],
  );
  const own: Binding[] = [
    { keys: "?", words: "These shortcuts", run: () => (overlay.value = "help"), scope: "everywhere" },
    { keys: "y", words: "Copy the link to this view", run: copyLink, scope: "everywhere" },
  ];
  const unbind = bindKeys([...toScreens, ...own]);
  const onPalette = (event: KeyboardEvent) => {
    if (typeAhead(event)) event.preventDefault();
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    if (overlay.peek() === "palette") closeOverlay();
    else openPalette();
  };
  document.addEventListener("keydown", onPalette);
  return () => {
    unbind();
    document.removeEventListener("keydown", onPalette);
  };
}
