import { ApprovalsScreen } from "./approvals.tsx";
import { TaskScreen } from "./task.tsx";
import { TasksScreen } from "./tasks.tsx";
import { TraceScreen } from "./trace.tsx";

/* Screens that share most of what they are made of come as one file: apart, each would repeat and compress it alone. */

export const workScreens = {
  approvals: ApprovalsScreen,
  task: TaskScreen,
  tasks: TasksScreen,
  trace: TraceScreen,
};
