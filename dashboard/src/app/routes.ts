import type { ComponentType } from "preact";
import { matchPath } from "./router.ts";

export type ScreenProps = { params: Readonly<Record<string, string>> };
export type Group = "Now" | "Work" | "Evidence" | "Fleet";

/** One screen of the page. Adding one is a file in `screens/` and a row here: navigation, keys and palette follow from it. */
export type Screen = {
  path: string;
  name: string;
  /** Where the navigation lists it; null for screens that are reached from others. */
  group: Group | null;
  keys?: string;
  /** Has a place in the bottom bar of a phone. */
  onPhone?: boolean;
  /** Takes the whole height: its list scrolls, the page does not. */
  fills?: boolean;
  load: () => Promise<ComponentType<ScreenProps>>;
};

export const groups: readonly Group[] = ["Now", "Work", "Evidence", "Fleet"];

export const screens: readonly Screen[] = [
  {
    path: "/",
    name: "Overview",
    group: "Now",
    keys: "g o",
    onPhone: true,
    load: async () => (await import("../screens/overview.tsx")).OverviewScreen,
  },
  {
    path: "/activity",
    name: "Activity",
    group: "Now",
    keys: "g a",
    onPhone: true,
    fills: true,
    load: async () => (await import("../screens/activity.tsx")).ActivityScreen,
  },
  {
    path: "/tasks",
    name: "Tasks",
    group: "Work",
    keys: "g t",
    onPhone: true,
    fills: true,
    load: async () => (await import("../screens/tasks.tsx")).TasksScreen,
  },
  { path: "/tasks/:id", name: "Task", group: null, load: async () => (await import("../screens/task.tsx")).TaskScreen },
  {
    path: "/new-task",
    name: "New task",
    group: "Work",
    keys: "c",
    load: async () => (await import("../screens/new-task.tsx")).NewTaskScreen,
  },
  {
    path: "/logs",
    name: "Logs",
    group: "Evidence",
    keys: "g l",
    onPhone: true,
    fills: true,
    load: async () => (await import("../screens/logs.tsx")).LogsScreen,
  },
  {
    path: "/config",
    name: "Config health",
    group: "Fleet",
    load: async () => (await import("../screens/config.tsx")).ConfigScreen,
  },
  {
    path: "/settings",
    name: "Settings",
    group: "Fleet",
    load: async () => (await import("../screens/settings.tsx")).SettingsScreen,
  },
];

export type Found = { screen: Screen; params: Record<string, string> };

export function findScreen(path: string): Found | null {
  for (const screen of screens) {
    const params = matchPath(screen.path, path);
    if (params) return { screen, params };
  }
  return null;
}
