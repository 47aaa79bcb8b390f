import type { ComponentType } from "preact";
import { OverviewScreen } from "../screens/overview.tsx";
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
    // Where most visits begin: one fetch less, and what it shares with the others is there already.
    load: async () => OverviewScreen,
  },
  {
    path: "/activity",
    name: "Activity",
    group: "Now",
    keys: "g a",
    fills: true,
    load: async () => (await import("../screens/tail-screens.ts")).tailScreens.activity,
  },
  {
    path: "/approvals",
    name: "Approvals",
    group: "Now",
    keys: "g p",
    onPhone: true,
    load: async () => (await import("../screens/work-screens.ts")).workScreens.approvals,
  },
  {
    path: "/findings",
    name: "Findings",
    group: "Now",
    keys: "g f",
    load: async () => (await import("../screens/watch-screens.ts")).watchScreens.findings,
  },
  {
    path: "/findings/:id",
    name: "Finding",
    group: null,
    load: async () => (await import("../screens/watch-screens.ts")).watchScreens.finding,
  },
  {
    path: "/tasks",
    name: "Tasks",
    group: "Work",
    keys: "g t",
    onPhone: true,
    fills: true,
    load: async () => (await import("../screens/work-screens.ts")).workScreens.tasks,
  },
  {
    path: "/tasks/:id",
    name: "Task",
    group: null,
    load: async () => (await import("../screens/work-screens.ts")).workScreens.task,
  },
  {
    path: "/trace/:id",
    name: "Trace",
    group: null,
    load: async () => (await import("../screens/work-screens.ts")).workScreens.trace,
  },
  {
    path: "/new-task",
    name: "New task",
    group: "Work",
    keys: "c",
    load: async () => (await import("../screens/new-task.tsx")).NewTaskScreen,
  },
  {
    path: "/schedules",
    name: "Schedules",
    group: "Work",
    load: async () => (await import("../screens/fleet-screens.ts")).fleetScreens.schedules,
  },
  {
    path: "/deliveries",
    name: "Deliveries",
    group: "Work",
    load: async () => (await import("../screens/fleet-screens.ts")).fleetScreens.deliveries,
  },
  {
    path: "/subscriptions",
    name: "Subscriptions",
    group: "Work",
    load: async () => (await import("../screens/fleet-screens.ts")).fleetScreens.subscriptions,
  },
  {
    path: "/logs",
    name: "Logs",
    group: "Evidence",
    keys: "g l",
    onPhone: true,
    fills: true,
    load: async () => (await import("../screens/tail-screens.ts")).tailScreens.logs,
  },
  {
    path: "/analytics",
    name: "Analytics",
    group: "Evidence",
    load: async () => (await import("../screens/watch-screens.ts")).watchScreens.analytics,
  },
  {
    path: "/infra",
    name: "Infrastructure",
    group: "Fleet",
    keys: "g i",
    load: async () => (await import("../screens/watch-screens.ts")).watchScreens.infra,
  },
  {
    path: "/infra/:id",
    name: "Service",
    group: null,
    load: async () => (await import("../screens/watch-screens.ts")).watchScreens.infraService,
  },
  {
    path: "/agents",
    name: "Agents",
    group: "Fleet",
    load: async () => (await import("../screens/fleet-screens.ts")).fleetScreens.agents,
  },
  {
    path: "/config",
    name: "Config health",
    group: "Fleet",
    load: async () => (await import("../screens/fleet-screens.ts")).fleetScreens.config,
  },
  {
    path: "/settings",
    name: "Settings",
    group: "Fleet",
    load: async () => (await import("../screens/fleet-screens.ts")).fleetScreens.settings,
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
