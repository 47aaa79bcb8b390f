import { ActivityScreen } from "./activity.tsx";
import { LogsScreen } from "./logs.tsx";

/* Screens that share most of what they are made of come as one file: apart, each would repeat and compress it alone. */

export const tailScreens = {
  activity: ActivityScreen,
  logs: LogsScreen,
};
