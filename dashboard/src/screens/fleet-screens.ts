import { AgentsScreen } from "./agents.tsx";
import { ConfigScreen } from "./config.tsx";
import { DeliveriesScreen } from "./deliveries.tsx";
import { SchedulesScreen } from "./schedules.tsx";
import { SettingsScreen } from "./settings.tsx";
import { SubscriptionsScreen } from "./subscriptions.tsx";

/* Screens that share most of what they are made of come as one file: apart, each would repeat and compress it alone. */

export const fleetScreens = {
  agents: AgentsScreen,
  config: ConfigScreen,
  deliveries: DeliveriesScreen,
  schedules: SchedulesScreen,
  settings: SettingsScreen,
  subscriptions: SubscriptionsScreen,
};
